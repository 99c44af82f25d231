import { execFileSync } from 'node:child_process';
import test from 'ava';
import fc from 'fast-check';
import { BpfError, type BpfErrorCode } from '../../src/seccomp/bpf/bpf-error.js';
import { formatCArray } from '../../src/seccomp/bpf/c-array.js';
import { disassemble } from '../../src/seccomp/bpf/disassemble.js';
import {
  decodeProgram,
  encodeProgram,
  type Instruction,
  type Program,
} from '../../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import * as op from '../../src/seccomp/bpf/opcodes.js';
import { validateProgram } from '../../src/seccomp/bpf/validate.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { seccompData } from '../../src/seccomp/seccomp-data.js';
import { actionOf, formatAction, returnValueOf } from '../../src/seccomp/verdict.js';
import { ALLOW, atom, errno, filter, policyOf } from './policy-builder.js';

function at(code: number, k = 0, jt = 0, jf = 0): Instruction {
  return { code, jt, jf, k };
}

const RETURN = at(op.RET_K, 0x7fff0000);

test('a program survives its raw form, and the raw form is that of the kernel', (t) => {
  const instruction = fc.record({
    code: fc.integer({ min: 0, max: 0xffff }),
    jt: fc.integer({ min: 0, max: 255 }),
    jf: fc.integer({ min: 0, max: 255 }),
    k: fc.integer({ min: 0, max: 0xffffffff }),
  });
  fc.assert(
    fc.property(fc.array(instruction), (program) => {
      t.deepEqual(decodeProgram(encodeProgram(program)), program);
    }),
  );
  t.deepEqual([...encodeProgram([at(0x15, 0xc000003e, 1, 2)])], [0x15, 0, 1, 2, 0x3e, 0, 0, 0xc0]);
  const error = t.throws(() => decodeProgram(new Uint8Array(15)), { instanceOf: BpfError });
  t.is(error?.code, 'BPF_TRUNCATED');
});

const REFUSED: [string, Program, BpfErrorCode, number | undefined][] = [
  ['empty', [], 'BPF_LENGTH', undefined],
  ['too long', new Array<Instruction>(4097).fill(RETURN), 'BPF_LENGTH', undefined],
  ['no return', [at(op.LD_IMM)], 'BPF_END', 0],
  ['modulo', [at(0x94, 3), RETURN], 'BPF_OPCODE', 0],
  ['seventh argument', [at(op.LD_W_ABS, 64), RETURN], 'BPF_OFFSET', 0],
  ['unaligned', [at(op.LD_W_ABS, 2), RETURN], 'BPF_OFFSET', 0],
  ['division by 0', [at(op.DIV_K, 0), RETURN], 'BPF_CONSTANT', 0],
  ['shift by 32', [at(op.LSH_K, 32), RETURN], 'BPF_CONSTANT', 0],
  ['jump out', [at(op.JEQ_K, 0, 0, 1), RETURN], 'BPF_JUMP', 0],
  ['far jump out', [at(op.JA, 0xffffffff), RETURN], 'BPF_JUMP', 0],
  ['scratch word 16', [at(op.ST, 16), RETURN], 'BPF_MEMORY', 0],
  [
    'scratch memory written on one way only',
    [at(op.JEQ_K, 0, 1, 0), at(op.ST, 2), at(op.LD_MEM, 2), RETURN],
    'BPF_MEMORY',
    2,
  ],
];

test('what a kernel refuses is refused, with the instruction at fault', (t) => {
  for (const [name, program, code, where] of REFUSED) {
    const error = t.throws(() => validateProgram(program), { instanceOf: BpfError }, name);
    t.is(error?.code, code, name);
    t.is(error?.at, where, name);
    t.throws(() => new Interpreter(program), { instanceOf: BpfError }, name);
  }
  t.notThrows(() => validateProgram(new Array<Instruction>(4096).fill(RETURN)));
  t.notThrows(() => validateProgram([at(op.LD_W_ABS, 60), RETURN]));
});

const COMPUTED: [string, Instruction[], number][] = [
  ['A begins at 0', [], 0],
  ['the size', [at(op.LD_W_LEN)], 64],
  ['wraps', [at(op.LD_IMM, 0xffffffff), at(op.ADD_K, 2)], 1],
  ['below 0', [at(op.SUB_K, 1)], 0xffffffff],
  ['a product of 64 bits', [at(op.LD_IMM, 0xffffffff), at(op.MUL_K, 0xffffffff)], 1],
  ['unsigned division', [at(op.LD_IMM, 0xffffffff), at(op.DIV_K, 2)], 0x7fffffff],
  ['by X', [at(op.LDX_IMM, 0x80000000), at(op.SUB_K, 1), at(op.DIV_K | op.WITH_X)], 1],
  ['by an X of 0', [at(op.LD_IMM, 7), at(op.DIV_K | op.WITH_X)], 0],
  ['shift by X of 33', [at(op.LDX_IMM, 33), at(op.LD_IMM, 3), at(op.LSH_K | op.WITH_X)], 6],
  ['unsigned shift', [at(op.LD_IMM, 0x80000000), at(op.RSH_K, 31)], 1],
  ['negation', [at(op.LD_IMM, 1), at(op.NEG)], 0xffffffff],
  [
    'memory',
    [at(op.LD_IMM, 5), at(op.ST, 15), at(op.LD_IMM, 0), at(op.LDX_MEM, 15), at(op.TXA)],
    5,
  ],
];

test('arithmetic is that of the kernel', (t) => {
  for (const [name, body, expected] of COMPUTED) {
    const interpreter = new Interpreter([...body, at(op.RET_A)]);
    t.is(interpreter.run(new Uint32Array(16)), expected, name);
  }
  const compare = (code: number, k: number) =>
    new Interpreter([
      at(op.LD_IMM, 0x80000000),
      at(code, k, 0, 1),
      at(op.RET_K, 1),
      at(op.RET_K, 2),
    ]).run(new Uint32Array(16));
  t.is(compare(op.JGT_K, 1), 1);
  t.is(compare(op.JGE_K, 0x80000000), 1);
  t.is(compare(op.JSET_K, 0xffffffff), 1);
  t.is(compare(op.JGT_K, 0xffffffff), 2);
});

test('executed instructions are counted, the return among them', (t) => {
  const interpreter = new Interpreter([
    at(op.LD_W_ABS, 0),
    at(op.JEQ_K, 5, 2, 0),
    at(op.JA, 0),
    RETURN,
    RETURN,
  ]);
  interpreter.run(seccompData(0, 5, []));
  t.is(interpreter.executed, 3);
  interpreter.run(seccompData(0, 6, []));
  t.is(interpreter.executed, 4);
});

test('actions and return values are each other', (t) => {
  for (const value of [0, 0x30000, 0x7fc00000, 0x7ff00000, 0x7ffc0000, 0x7fff0000, 0x80000000]) {
    t.is(returnValueOf(actionOf(value)), value);
  }
  t.is(formatAction(actionOf(0x00050000 + 4095)), 'ERRNO(4095)');
  t.is(formatAction(actionOf(0x00040000)), 'KILL_PROCESS');
  t.is(formatAction(actionOf(0x7fff1234)), 'ALLOW');
});

const policy = policyOf({
  syscalls: {
    read: [filter(ALLOW)],
    openat: [filter(errno(2))],
    madvise: [filter(ALLOW, [atom(2, '==', 4)], [atom(2, '==', 9)])],
  },
});

test('the disassembly has names and labels', (t) => {
  const names = {
    syscallNames: policy.architecture.syscallNames,
    architectures: new Map([[0xc000003e, 'x86_64']]),
  };
  const text = disassemble(compilePolicy(policy), names);
  t.regex(text, /^ {6}ld arch\n {6}jeq #x86_64, L0, L\d+\nL0: {3}ld nr\n/);
  t.regex(text, /jeq #madvise, L\d+, L\d+/);
  t.regex(text, /ld arg2\.high\n.*jeq #0, L\d+, L\d+/);
  t.regex(text, /ld arg2\.low\n.*jeq #(4|9), L\d+, L\d+/);
  for (const action of ['ALLOW', 'ERRNO(2)', 'KILL_THREAD']) t.true(text.includes(`ret ${action}`));
  const labels = new Set(text.match(/L\d+/g));
  for (const label of labels) t.regex(text, new RegExp(`^${label}:`, 'm'));
});

test('the C array compiles to the raw program', (t) => {
  const program = compilePolicy(policy);
  const source =
    `${formatCArray(program)}\n#include <stdio.h>\n` +
    'int main(void) { return fwrite(filter, sizeof filter[0], filter_length, stdout) != filter_length; }\n';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
  } catch {
    t.log('skipped: no C compiler');
    t.regex(source, /\{0x0020, 0, 0, 0x00000004\},/);
    return;
  }
  const command = 'd=$(mktemp -d) && cc -x c - -o "$d/a" && "$d/a"; s=$?; rm -rf "$d"; exit $s';
  const output = execFileSync('sh', ['-c', command], { input: source });
  t.deepEqual(new Uint8Array(output), encodeProgram(program));
});
