import { type Explanation, explainData } from '../explain/explain.js';
import type { Action } from '../policy.js';
import { DATA_WORDS, fillSeccompData } from '../seccomp-data.js';
import { actionOf, formatAction, sameAction } from '../verdict.js';
import type { PolicyCase } from './policy-case.js';
import { type FileReader, type PreparedPolicy, preparePolicy } from './prepared-policy.js';

/** The kernel's MAX_ERRNO: what a filter says above it, a program sees as this. */
const MAX_ERRNO = 4095;

export interface CaseResult {
  readonly id: string | number;
  readonly passed: boolean;
  /** `ALLOW`, `ERRNO(1)`, …, or `error` for a policy that is rejected; what the compiled program returned. */
  readonly verdict: string;
  readonly expected: string;
  /** How many the program executed, the return among them; 0 if there is no program. */
  readonly instructions: number;
  /** Why the policy was rejected. */
  readonly rejected?: string;
  /** Of a case that failed, if the policy was asked. */
  readonly explanation?: Explanation;
  /** The program and the policy disagree: a bug of the compiler. */
  readonly fault?: string;
}

/** Runs cases; policies that several of them have are parsed and compiled once. */
export class CaseRunner {
  readonly #readFile: FileReader;
  readonly #prepared = new Map<string, PreparedPolicy>();
  readonly #data = new Uint32Array(DATA_WORDS);

  constructor(readFile: FileReader) {
    this.#readFile = readFile;
  }

  /** @throws PolicyFileError */
  run(item: PolicyCase): CaseResult {
    const { id, call, expected } = item;
    const prepared = this.#prepare(item);
    const told = { id, expected: expected === 'error' ? expected : formatAction(expected) };
    if ('rejected' in prepared) {
      const passed = expected === 'error';
      return { ...told, passed, verdict: 'error', instructions: 0, rejected: prepared.rejected };
    }
    if (call === undefined) {
      return { ...told, passed: false, verdict: 'accepted', instructions: 0 };
    }
    const { auditArch } = item.architecture;
    fillSeccompData(this.#data, auditArch, call.number, call.args);
    const action = actionOf(prepared.program.run(this.#data));
    const instructions = prepared.program.executed;
    const own = prepared.evaluator.actionOf(this.#data);
    const agrees = sameAction(own, action);
    const passed = agrees && expected !== 'error' && meets(action, expected);
    return {
      ...told,
      passed,
      verdict: formatAction(action),
      instructions,
      ...(passed ? {} : { explanation: explainData(prepared.policy, this.#data) }),
      ...(agrees ? {} : { fault: `the policy says ${formatAction(own)}: a bug of this compiler` }),
    };
  }

  #prepare(item: PolicyCase): PreparedPolicy {
    const { architecture, dialect, defaultAction, options, source } = item;
    const key = JSON.stringify([
      architecture.name,
      dialect,
      defaultAction ?? null,
      options,
      source.text ?? null,
      source.path ?? null,
      [...source.files],
    ]);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const prepared = preparePolicy(item, this.#readFile);
    this.#prepared.set(key, prepared);
    return prepared;
  }
}

/** Whether a verdict is the expected one, or what the kernel makes of it. */
function meets(action: Action, expected: Action): boolean {
  if (sameAction(action, expected)) return true;
  const capped = action.kind === 'errno' && action.errno > MAX_ERRNO;
  return capped && expected.kind === 'errno' && expected.errno === MAX_ERRNO;
}
