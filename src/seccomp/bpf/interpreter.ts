import type { SeccompData } from '../seccomp-data.js';
import type { Program } from './instruction.js';
import * as op from './opcodes.js';
import { validateProgram } from './validate.js';

/** Words of one instruction in the flat code: code, jt, jf, k. */
const STRIDE = 4;
const SIGN = 0x80000000 | 0;

/**
 * Runs a program as the kernel does: A and X begin at 0, arithmetic is modulo 2^32, comparisons are unsigned, a shift
 * counts by X modulo 32, and a division by an X of 0 ends the program with 0.
 */
export class Interpreter {
  readonly #code: Int32Array;
  readonly #memory = new Int32Array(op.MEMORY_WORDS);
  #executed = 0;

  /** @throws {BpfError} for a program that the kernel would refuse */
  constructor(program: Program) {
    validateProgram(program);
    this.#code = new Int32Array(program.length * STRIDE);
    program.forEach(({ code, jt, jf, k }, index) => {
      this.#code.set([code, jt * STRIDE, jf * STRIDE, k], index * STRIDE);
    });
  }

  /** Instructions of the last run, the return among them. */
  get executed(): number {
    return this.#executed;
  }

  /** The unsigned word that the program returns. */
  run(data: SeccompData): number {
    const code = this.#code;
    const memory = this.#memory;
    let a = 0;
    let x = 0;
    let executed = 0;
    for (let pc = 0; ; pc += STRIDE) {
      executed++;
      const k = code[pc + 3] as number;
      switch (code[pc] as number) {
        case op.LD_W_ABS:
          a = (data[k >>> 2] as number) | 0;
          break;
        case op.JEQ_K:
          pc += code[a === k ? pc + 1 : pc + 2] as number;
          break;
        case op.JGT_K:
          pc += code[(a ^ SIGN) > (k ^ SIGN) ? pc + 1 : pc + 2] as number;
          break;
        case op.JGE_K:
          pc += code[(a ^ SIGN) >= (k ^ SIGN) ? pc + 1 : pc + 2] as number;
          break;
        case op.JSET_K:
          pc += code[(a & k) !== 0 ? pc + 1 : pc + 2] as number;
          break;
        case op.JA:
          pc += k * STRIDE;
          break;
        case op.RET_K:
          this.#executed = executed;
          return k >>> 0;
        case op.RET_A:
          this.#executed = executed;
          return a >>> 0;
        case op.JEQ_K | op.WITH_X:
          pc += code[a === x ? pc + 1 : pc + 2] as number;
          break;
        case op.JGT_K | op.WITH_X:
          pc += code[(a ^ SIGN) > (x ^ SIGN) ? pc + 1 : pc + 2] as number;
          break;
        case op.JGE_K | op.WITH_X:
          pc += code[(a ^ SIGN) >= (x ^ SIGN) ? pc + 1 : pc + 2] as number;
          break;
        case op.JSET_K | op.WITH_X:
          pc += code[(a & x) !== 0 ? pc + 1 : pc + 2] as number;
          break;
        case op.AND_K:
          a &= k;
          break;
        case op.OR_K:
          a |= k;
          break;
        case op.XOR_K:
          a ^= k;
          break;
        case op.ADD_K:
          a = (a + k) | 0;
          break;
        case op.SUB_K:
          a = (a - k) | 0;
          break;
        case op.MUL_K:
          a = Math.imul(a, k);
          break;
        case op.DIV_K:
          a = ((a >>> 0) / (k >>> 0)) | 0;
          break;
        case op.LSH_K:
          a <<= k;
          break;
        case op.RSH_K:
          a = (a >>> k) | 0;
          break;
        case op.NEG:
          a = -a | 0;
          break;
        case op.LD_IMM:
          a = k;
          break;
        case op.LD_W_LEN:
          a = op.DATA_BYTES;
          break;
        case op.LD_MEM:
          a = memory[k] as number;
          break;
        case op.LDX_IMM:
          x = k;
          break;
        case op.LDX_W_LEN:
          x = op.DATA_BYTES;
          break;
        case op.LDX_MEM:
          x = memory[k] as number;
          break;
        case op.ST:
          memory[k] = a;
          break;
        case op.STX:
          memory[k] = x;
          break;
        case op.TAX:
          x = a;
          break;
        case op.TXA:
          a = x;
          break;
        case op.AND_K | op.WITH_X:
          a &= x;
          break;
        case op.OR_K | op.WITH_X:
          a |= x;
          break;
        case op.XOR_K | op.WITH_X:
          a ^= x;
          break;
        case op.ADD_K | op.WITH_X:
          a = (a + x) | 0;
          break;
        case op.SUB_K | op.WITH_X:
          a = (a - x) | 0;
          break;
        case op.MUL_K | op.WITH_X:
          a = Math.imul(a, x);
          break;
        case op.DIV_K | op.WITH_X:
          if (x === 0) {
            this.#executed = executed;
            return 0;
          }
          a = ((a >>> 0) / (x >>> 0)) | 0;
          break;
        case op.LSH_K | op.WITH_X:
          a <<= x;
          break;
        case op.RSH_K | op.WITH_X:
          a = (a >>> x) | 0;
          break;
        default:
          throw new Error(`unreachable: code ${code[pc]} passed validation`);
      }
    }
  }
}
