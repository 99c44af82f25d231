import { BpfError } from '../bpf/bpf-error.js';
import { Interpreter } from '../bpf/interpreter.js';
import { compilePolicy } from '../compile/compile.js';
import { CompileError } from '../compile/compile-error.js';
import { PolicyEvaluator } from '../evaluate.js';
import { PolicyError } from '../language/diagnostic.js';
import { parsePolicy } from '../language/parse-policy.js';
import { besideFile } from '../language/posix-path.js';
import type { Policy } from '../policy.js';
import type { PolicyCase } from './policy-case.js';

/** Reads a file of the disk: its text, or why it cannot be read. */
export type FileReader = (path: string) => string | Error;

/** How messages name a policy that a case has as its text. */
const INLINE = 'policy';

/** A policy that is ready to be asked, or the reasons for which it is rejected. */
export type PreparedPolicy =
  | {
      readonly policy: Policy;
      readonly program: Interpreter;
      /** Judges by the policy itself: the program must agree. */
      readonly evaluator: PolicyEvaluator;
    }
  | { readonly rejected: string };

/** A `policyFile` that cannot be read. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
  readonly code = 'POLICY_FILE';
}

/**
 * Parses and compiles a case's policy. Included files come from the case first; the disk has them only for a policy that
 * is a file itself, so that a policy in a case means the same everywhere.
 *
 * @throws PolicyFileError
 */
export function preparePolicy(item: PolicyCase, readFile: FileReader): PreparedPolicy {
  const { architecture, dialect, defaultAction, options, source } = item;
  const file = source.path ?? INLINE;
  const text = source.text ?? readFile(file);
  if (typeof text !== 'string')
    throw new PolicyFileError(`${file} cannot be read: ${text.message}`);
  const files = new Map(
    [...source.files].map(([name, content]) => [besideFile(file, name), content]),
  );
  const include = (written: string): string | Error | undefined => {
    // The Python dialect's paths come joined to the folder of the file that includes.
    const path = dialect === 'minijail-c' ? besideFile(file, written) : written;
    if (written.endsWith('/')) return undefined;
    return files.get(path) ?? (source.path === undefined ? undefined : readFile(path));
  };
  try {
    const { policy } = parsePolicy({
      text,
      file,
      dialect,
      architecture,
      include,
      ...(defaultAction === undefined ? {} : { defaultAction }),
      options,
    });
    const program = new Interpreter(compilePolicy(policy));
    return { policy, program, evaluator: new PolicyEvaluator(policy) };
  } catch (error) {
    const isVerdict =
      error instanceof PolicyError || error instanceof CompileError || error instanceof BpfError;
    if (!isVerdict) throw error;
    return { rejected: error.message };
  }
}
