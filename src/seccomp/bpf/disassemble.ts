import { ARCH_WORD, NUMBER_WORD } from '../seccomp-data.js';
import { actionOf, formatAction } from '../verdict.js';
import type { Instruction, Program } from './instruction.js';
import * as op from './opcodes.js';
import { isCondition } from './validate.js';

/** Names for the numbers in a program. */
export interface DisassemblyNames {
  readonly syscallNames?: ReadonlyMap<number, string>;
  /** `AUDIT_ARCH_*` to a name. */
  readonly architectures?: ReadonlyMap<number, string>;
}

const ARITHMETIC = new Map([
  [op.ADD_K, 'add'],
  [op.SUB_K, 'sub'],
  [op.MUL_K, 'mul'],
  [op.DIV_K, 'div'],
  [op.OR_K, 'or'],
  [op.AND_K, 'and'],
  [op.LSH_K, 'lsh'],
  [op.RSH_K, 'rsh'],
  [op.XOR_K, 'xor'],
]);

const JUMPS = new Map([
  [op.JEQ_K, 'jeq'],
  [op.JGT_K, 'jgt'],
  [op.JGE_K, 'jge'],
  [op.JSET_K, 'jset'],
]);

const WORDS = ['nr', 'arch', 'ip.low', 'ip.high'];

function wordName(offset: number): string {
  const word = offset / 4;
  if (!Number.isInteger(word) || word < 0 || word > 15) return `[${offset}]`;
  return WORDS[word] ?? `arg${(word - 4) >> 1}.${word % 2 === 0 ? 'low' : 'high'}`;
}

function hex(value: number): string {
  return value < 10 ? `${value}` : `0x${value.toString(16)}`;
}

function plain({ code, k }: Instruction): string {
  switch (code) {
    case op.LD_W_ABS:
      return `ld ${wordName(k)}`;
    case op.LD_IMM:
      return `ld ${hex(k)}`;
    case op.LD_MEM:
      return `ld M[${k}]`;
    case op.LD_W_LEN:
      return 'ld len';
    case op.LDX_IMM:
      return `ldx ${hex(k)}`;
    case op.LDX_MEM:
      return `ldx M[${k}]`;
    case op.LDX_W_LEN:
      return 'ldx len';
    case op.ST:
      return `st M[${k}]`;
    case op.STX:
      return `stx M[${k}]`;
    case op.RET_K:
      return `ret ${formatAction(actionOf(k))}`;
    case op.RET_A:
      return 'ret a';
    case op.TAX:
      return 'tax';
    case op.TXA:
      return 'txa';
    case op.NEG:
      return 'neg';
  }
  const arithmetic = ARITHMETIC.get(code & ~op.WITH_X);
  if (arithmetic === undefined) return `.word 0x${code.toString(16)}, ${hex(k)}`;
  return `${arithmetic} ${code & op.WITH_X ? 'x' : hex(k)}`;
}

/** The places that are jumped to, each with what is in A there: the word that was loaded last on all ways, or -1. */
function analyse(program: Program): { targets: ReadonlySet<number>; loaded: Int8Array } {
  const UNSEEN = -2;
  const targets = new Set<number>();
  const loaded = new Int8Array(program.length).fill(UNSEEN);
  const reach = (at: number, word: number) => {
    if (at >= program.length) return;
    loaded[at] = loaded[at] === UNSEEN || loaded[at] === word ? word : -1;
  };
  program.forEach(({ code, jt, jf, k }, at) => {
    const word = loaded[at] ?? -1;
    if (code === op.JA) {
      targets.add(at + 1 + k);
      reach(at + 1 + k, word);
    } else if (isCondition(code)) {
      for (const distance of [jt, jf]) {
        targets.add(at + 1 + distance);
        reach(at + 1 + distance, word);
      }
    } else if (code === op.LD_W_ABS) reach(at + 1, k / 4);
    else if (code !== op.RET_K && code !== op.RET_A) {
      const keeps = [op.ST, op.STX, op.TAX, op.LDX_IMM, op.LDX_MEM, op.LDX_W_LEN].includes(code);
      reach(at + 1, keeps ? word : -1);
    }
  });
  return { targets, loaded };
}

/** One instruction a line, with labels where something jumps to, and names for what is compared. */
export function disassemble(program: Program, names: DisassemblyNames = {}): string {
  const { targets, loaded } = analyse(program);
  const labels = new Map([...targets].sort((a, b) => a - b).map((at, index) => [at, `L${index}`]));
  const constant = (k: number, word: number | undefined) => {
    if (word === NUMBER_WORD) return names.syscallNames?.get(k) ?? hex(k);
    return (word === ARCH_WORD ? names.architectures?.get(k) : undefined) ?? hex(k);
  };
  const labelOf = (at: number) => labels.get(at) ?? '?';
  const lines = program.map((instruction, at) => {
    const { code, jt, jf, k } = instruction;
    const jump = JUMPS.get(code & ~op.WITH_X);
    let text = plain(instruction);
    if (code === op.JA) text = `ja ${labelOf(at + 1 + k)}`;
    else if (jump !== undefined) {
      const operand = code & op.WITH_X ? 'x' : constant(k, loaded[at]);
      // A bit test has no names of numbers.
      const shown = code === op.JSET_K ? hex(k) : operand;
      text = `${jump} ${code === op.JEQ_K ? `#${shown}` : shown}, ${labelOf(at + 1 + jt)}, ${labelOf(at + 1 + jf)}`;
    }
    const label = labels.get(at);
    return `${(label === undefined ? '' : `${label}:`).padEnd(6)}${text}`;
  });
  return `${lines.join('\n')}\n`;
}
