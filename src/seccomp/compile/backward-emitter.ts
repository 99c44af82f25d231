import type { Instruction, Program } from '../bpf/instruction.js';
import { JA, LD_W_ABS, MAX_INSTRUCTIONS, RET_K } from '../bpf/opcodes.js';
import { CompileError } from './compile-error.js';

/** How far a conditional jump reaches, in instructions skipped. */
const REACH = 255;

/** Where an instruction is, counted from the end of the program: the last one is at 1. */
export type Position = number;

/**
 * Writes a program from its end: jumps only go forward, so that the targets of each are known when it is written, and a
 * target out of reach gets a copy (a return) or a trampoline in between.
 */
export class BackwardEmitter {
  readonly #reversed: Instruction[] = [];
  /** The nearest place that does what a position does. */
  readonly #nearest = new Map<Position, Position>();

  get length(): number {
    return this.#reversed.length;
  }

  return(value: number): Position {
    return this.#push(RET_K, 0, 0, value);
  }

  load(word: number): Position {
    return this.#push(LD_W_ABS, 0, 0, word * 4);
  }

  /** One test; what it jumps to has been written before. */
  test(code: number, k: number, yes: Position, no: Position): Position {
    // A trampoline for one may push the other out of reach, hence the margin of one.
    const near = [yes, no].map((target) => this.#reach(target));
    const [jt, jf] = near.map((target) => this.length - target);
    if (jt === undefined || jf === undefined) throw new Error('unreachable: two targets');
    return this.#push(code, jt, jf, k);
  }

  /** Goes on at `target`, which is the next instruction or is jumped to. */
  goto(target: Position): Position {
    if (target === this.length) return target;
    return this.#push(JA, 0, 0, this.length - target);
  }

  /** @throws {CompileError} `PROGRAM_TOO_LONG` */
  finish(): Program {
    if (this.length > MAX_INSTRUCTIONS) {
      throw new CompileError(
        'PROGRAM_TOO_LONG',
        `the policy makes ${this.length} instructions, a kernel takes ${MAX_INSTRUCTIONS}: split its longest lists of ` +
          'values, or allow a range of them',
      );
    }
    return this.#reversed.toReversed();
  }

  #reach(target: Position): Position {
    const known = this.#nearest.get(target) ?? target;
    if (this.length - known < REACH) return known;
    const there = this.#reversed[target - 1];
    const copy =
      there?.code === RET_K
        ? this.#push(RET_K, 0, 0, there.k)
        : this.#push(JA, 0, 0, this.length - target);
    this.#nearest.set(target, copy);
    return copy;
  }

  #push(code: number, jt: number, jf: number, k: number): Position {
    return this.#reversed.push({ code, jt, jf, k });
  }
}
