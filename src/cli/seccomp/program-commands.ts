import { ARCHITECTURE_NAMES, architectureOf } from '../../seccomp/architecture.js';
import { disassemble } from '../../seccomp/bpf/disassemble.js';
import { Interpreter } from '../../seccomp/bpf/interpreter.js';
import { explain } from '../../seccomp/explain/explain.js';
import { seccompData } from '../../seccomp/seccomp-data.js';
import { actionOf, formatAction } from '../../seccomp/verdict.js';
import { EXIT } from '../failure.js';
import type { Output } from '../output.js';
import {
  architectureNamed,
  callOf,
  loadPolicy,
  loadProgram,
  type SyscallFlags,
} from './policy-input.js';
import type { PolicyFlags } from './policy-options.js';

/** Shows a raw program, or what a policy compiles to. */
export function disasmCommand(path: string, flags: PolicyFlags, output: Output): number {
  const program = loadProgram(path, flags, output);
  const { syscallNames } = architectureNamed(flags.arch);
  const architectures = new Map(
    ARCHITECTURE_NAMES.map((name) => [
      architectureOf(name).auditArch,
      `AUDIT_ARCH_${name.toUpperCase()}`,
    ]),
  );
  const text = disassemble(program, { syscallNames, architectures });
  output.line(text.trimEnd());
  output.result({ file: path, instructions: program, text });
  return EXIT.ok;
}

/** Runs the program on one syscall. Any verdict is a result. */
export function evalCommand(
  path: string,
  flags: PolicyFlags & SyscallFlags,
  output: Output,
): number {
  const architecture = architectureNamed(flags.arch);
  const call = callOf(flags, architecture);
  const interpreter = new Interpreter(loadProgram(path, flags, output));
  const returned = interpreter.run(seccompData(architecture.auditArch, call.number, call.args));
  const verdict = formatAction(actionOf(returned));
  const { executed } = interpreter;
  output.line(`${verdict} (${executed} instructions executed)`);
  output.result({
    file: path,
    architecture: architecture.name,
    syscall: architecture.syscallNames.get(call.number),
    nr: call.number,
    args: call.args,
    verdict,
    returned,
    instructions: executed,
  });
  return EXIT.ok;
}

/** Says why a policy decides as it does, and what would let a refused syscall through. */
export function explainCommand(
  path: string,
  flags: PolicyFlags & SyscallFlags,
  output: Output,
): number {
  const { policy } = loadPolicy(path, flags, output);
  const call = callOf(flags, policy.architecture);
  const { judgement, remedy, text, ...told } = explain(policy, call.number, call.args);
  output.line(text.trimEnd());
  output.result({
    ...told,
    nr: call.number,
    args: call.args,
    verdict: formatAction(judgement.action),
    by: judgement.by,
    failedAtoms: judgement.failed.map(({ atom }) => atom),
    ...(remedy === undefined
      ? {}
      : { remedy: { text: remedy.text, insert: remedy.insert, at: remedy.at } }),
  });
  return EXIT.ok;
}
