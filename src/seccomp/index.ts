// `halyard/seccomp`: the policy language on its own. It loads no addon, and imports nothing else of this package.
export { ACTION_WORDS, defaultActionNamed } from './action-words.js';
export {
  ARCHITECTURE_NAMES,
  type Architecture,
  type ArchitectureName,
  architectureOf,
  UnknownArchitectureError,
} from './architecture.js';
export { formatCArray } from './bpf/c-array.js';
export { type DisassemblyNames, disassemble } from './bpf/disassemble.js';
export { decodeProgram, encodeProgram, type Instruction, type Program } from './bpf/instruction.js';
export { Interpreter } from './bpf/interpreter.js';
export { validateProgram } from './bpf/validate.js';
export { compilePolicy } from './compile/compile.js';
export { CompileError, type CompileErrorCode } from './compile/compile-error.js';
export {
  ArchitectureMismatchError,
  diffPolicies,
  formatDifference,
  type PolicyDiff,
  type PolicyDifference,
} from './diff/diff-policies.js';
export { type FailedClause, type Judgement, PolicyEvaluator } from './evaluate.js';
export { type Explanation, explain } from './explain/explain.js';
export type { Remedy } from './explain/remedy.js';
export {
  formatDiagnostic,
  type PolicyDiagnostic,
  PolicyError,
  type PolicyFault,
  type PolicyFaultCode,
  type PolicyWarning,
  type PolicyWarningCode,
} from './language/diagnostic.js';
export type {
  IncludeReader,
  ParsedPolicy,
  ParseInput,
  ParseOptions,
  PolicyAnalysis,
} from './language/parse-input.js';
export { analysePolicy, parsePolicy } from './language/parse-policy.js';
export { formatFinding, type LintFinding, type LintRuleCode } from './lint/lint-finding.js';
export { lintPolicy } from './lint/lint-policy.js';
export { lintParity, lintTime64 } from './lint/parity.js';
export type {
  Action,
  Atom,
  Clause,
  Dialect,
  Filter,
  Operator,
  Policy,
  SourceSpan,
  SyscallRules,
} from './policy.js';
export { fillSeccompData, type SeccompData, seccompData } from './seccomp-data.js';
export { actionOf, formatAction } from './verdict.js';
