import { BpfError } from './bpf-error.js';
import type { Instruction, Program } from './instruction.js';
import * as op from './opcodes.js';

const ARITHMETIC = [
  op.ADD_K,
  op.SUB_K,
  op.MUL_K,
  op.DIV_K,
  op.OR_K,
  op.AND_K,
  op.LSH_K,
  op.RSH_K,
  op.XOR_K,
];
const CONDITIONS: ReadonlySet<number> = new Set(
  [op.JEQ_K, op.JGT_K, op.JGE_K, op.JSET_K].flatMap((code) => [code, code | op.WITH_X]),
);

/** What seccomp_check_filter lets through; modulo and packet loads are not among it. */
const ALLOWED: ReadonlySet<number> = new Set([
  ...[op.LD_W_ABS, op.LD_IMM, op.LD_MEM, op.LD_W_LEN, op.LDX_IMM, op.LDX_MEM, op.LDX_W_LEN],
  ...[op.ST, op.STX, op.RET_K, op.RET_A, op.TAX, op.TXA, op.NEG, op.JA],
  ...ARITHMETIC.flatMap((code) => [code, code | op.WITH_X]),
  ...CONDITIONS,
]);

export function isCondition(code: number): boolean {
  return CONDITIONS.has(code);
}

function checkConstant({ code, k }: Instruction, at: number): void {
  if (code === op.DIV_K && k === 0) {
    throw new BpfError('BPF_CONSTANT', 'division by the constant 0', at);
  }
  if ((code === op.LSH_K || code === op.RSH_K) && k > 31) {
    throw new BpfError('BPF_CONSTANT', `shift by ${k}: at most 31`, at);
  }
  if (code === op.LD_W_ABS && (k % 4 !== 0 || k >= op.DATA_BYTES)) {
    throw new BpfError(
      'BPF_OFFSET',
      `load from offset ${k}: offsets are multiples of 4 below ${op.DATA_BYTES}`,
      at,
    );
  }
  const usesMemory = [op.LD_MEM, op.LDX_MEM, op.ST, op.STX].includes(code);
  if (usesMemory && k >= op.MEMORY_WORDS) {
    throw new BpfError('BPF_MEMORY', `scratch word ${k}: there are ${op.MEMORY_WORDS}`, at);
  }
}

function checkJump({ code, jt, jf, k }: Instruction, at: number, length: number): void {
  const behind = length - at - 1;
  const far = code === op.JA ? k : isCondition(code) ? Math.max(jt, jf) : 0;
  if (far >= behind && (code === op.JA || isCondition(code))) {
    throw new BpfError('BPF_JUMP', `jump over ${far} instructions of ${behind} that follow`, at);
  }
}

/** Scratch words must be written on every path before they are read; jumps only go forward, so one pass tells. */
function checkMemory(program: Program): void {
  const ALL = 0xffff;
  const written = new Uint16Array(program.length).fill(ALL);
  const meet = (at: number, words: number) => {
    written[at] = (written[at] ?? 0) & words;
  };
  let words = 0;
  program.forEach(({ code, jt, jf, k }, at) => {
    words &= written[at] ?? 0;
    if (code === op.ST || code === op.STX) words |= 1 << k;
    else if ((code === op.LD_MEM || code === op.LDX_MEM) && (words & (1 << k)) === 0) {
      throw new BpfError('BPF_MEMORY', `scratch word ${k} is read before it is written`, at);
    } else if (code === op.JA || isCondition(code)) {
      const targets = code === op.JA ? [k] : [jt, jf];
      for (const target of targets) meet(at + 1 + target, words);
      words = ALL;
    }
  });
}

/**
 * Refuses what a kernel refuses to load (kernel/seccomp.c, seccomp_check_filter; net/core/filter.c, bpf_check_classic).
 * @throws {BpfError} with the first instruction at fault
 */
export function validateProgram(program: Program): void {
  const { length } = program;
  if (length < 1 || length > op.MAX_INSTRUCTIONS) {
    throw new BpfError(
      'BPF_LENGTH',
      `a program has 1 to ${op.MAX_INSTRUCTIONS} instructions, this one ${length}`,
    );
  }
  program.forEach((instruction, at) => {
    const { code } = instruction;
    if (!ALLOWED.has(code)) {
      throw new BpfError('BPF_OPCODE', `seccomp has no instruction 0x${code.toString(16)}`, at);
    }
    checkConstant(instruction, at);
    checkJump(instruction, at, length);
  });
  checkMemory(program);
  const last = program[length - 1]?.code;
  if (last !== op.RET_K && last !== op.RET_A) {
    throw new BpfError('BPF_END', 'the last instruction must return', length - 1);
  }
}
