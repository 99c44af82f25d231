import type { Program } from '../bpf/instruction.js';
import { JEQ_K, JGE_K, JGT_K, JSET_K } from '../bpf/opcodes.js';
import type { Atom, Policy, SyscallRules } from '../policy.js';
import { ARCH_WORD, argumentWord, NUMBER_WORD } from '../seccomp-data.js';
import { foreignActionOf, returnValueOf } from '../verdict.js';
import { BackwardEmitter, type Position } from './backward-emitter.js';
import { checkArguments } from './check-arguments.js';

/** The jump that decides an operator, and whether it is taken when the atom holds. */
const JUMPS = {
  '==': [JEQ_K, true],
  '!=': [JEQ_K, false],
  '>': [JGT_K, true],
  '<=': [JGT_K, false],
  '>=': [JGE_K, true],
  '<': [JGE_K, false],
  '&': [JSET_K, true],
  in: [JSET_K, false],
} as const;

/** One atom, both halves, whatever its value. */
class AtomWriter {
  readonly #emitter: BackwardEmitter;
  readonly #wide: boolean;

  constructor(emitter: BackwardEmitter, wordBits: 32 | 64) {
    this.#emitter = emitter;
    this.#wide = wordBits === 64;
  }

  /** Continues at `yes` if it holds, otherwise at `no`. */
  write({ argument, operator, value }: Atom, yes: Position, no: Position): Position {
    const [code, taken] = JUMPS[operator];
    const [jumps, falls] = taken ? [yes, no] : [no, yes];
    const constant = operator === 'in' ? ~value : value;
    const low = Number(constant & 0xffffffffn);
    const high = Number((constant >> 32n) & 0xffffffffn);
    const word = argumentWord(argument);
    const lower = this.#compare(word, code, low, jumps, falls);
    if (!this.#wide) return lower;
    switch (code) {
      case JEQ_K:
        return this.#compare(word + 1, JEQ_K, high, lower, falls);
      case JSET_K:
        return this.#compare(word + 1, JSET_K, high, jumps, lower);
      default:
        return this.#compare(
          word + 1,
          JGT_K,
          high,
          jumps,
          this.#compare(word + 1, JEQ_K, high, lower, falls),
        );
    }
  }

  #compare(word: number, code: number, k: number, yes: Position, no: Position): Position {
    this.#emitter.test(code, k, yes, no);
    return this.#emitter.load(word);
  }
}

function writeRules(emitter: BackwardEmitter, atoms: AtomWriter, rules: SyscallRules): Position {
  let next = emitter.return(returnValueOf(rules.otherwise));
  for (const { clauses, action } of rules.filters.toReversed()) {
    const result = emitter.return(returnValueOf(action));
    if (clauses.length === 0) next = result;
    for (const clause of clauses.toReversed()) {
      const no = next;
      next = clause.toReversed().reduce((yes, atom) => atoms.write(atom, yes, no), result);
    }
  }
  return next;
}

/**
 * A policy as a program without any optimisation: number by number and atom by atom, as the source has them. What
 * `compilePolicy` makes must decide the same.
 * @throws {CompileError} `PROGRAM_TOO_LONG`, `ARGUMENT_NOT_LOADABLE`
 */
export function compilePlainly(policy: Policy): Program {
  checkArguments(policy);
  const { architecture, defaultAction, syscalls } = policy;
  const emitter = new BackwardEmitter();
  const atoms = new AtomWriter(emitter, architecture.wordBits);
  const foreign = emitter.return(returnValueOf(foreignActionOf(policy)));
  let next = emitter.return(returnValueOf(defaultAction));
  for (const rules of [...syscalls.values()].reverse()) {
    const body = writeRules(emitter, atoms, rules);
    next = emitter.test(JEQ_K, rules.number, body, next);
  }
  emitter.goto(next);
  const dispatch = emitter.load(NUMBER_WORD);
  emitter.test(JEQ_K, architecture.auditArch, dispatch, foreign);
  emitter.load(ARCH_WORD);
  return emitter.finish();
}
