import fc from 'fast-check';
import type { Instruction, Program } from '../../../src/seccomp/bpf/instruction.js';
import * as op from '../../../src/seccomp/bpf/opcodes.js';

const RETURNS = [0x7fff0000, 0x00050001, 0x00030007, 0x80000000, 0, 0x7fc00000, 0x7ff00000];

const word = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 0x10000, ...RETURNS),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
);

const ARITHMETIC = [
  ...[op.ADD_K, op.SUB_K, op.MUL_K, op.DIV_K, op.OR_K, op.AND_K, op.LSH_K, op.RSH_K, op.XOR_K],
];
const CONDITIONS = [op.JEQ_K, op.JGT_K, op.JGE_K, op.JSET_K];

function plain(code: number, k: number): Instruction {
  return { code, jt: 0, jf: 0, k };
}

const memory = fc.integer({ min: 0, max: 3 });
const register = fc.constantFrom(0, op.WITH_X);

/** One instruction that a kernel accepts; jumps skip at most three. */
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.integer({ min: 0, max: 15 }).map((at) => plain(op.LD_W_ABS, at * 4)),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constantFrom(...ARITHMETIC), register, word).map(([code, x, k]) => {
      const isShift = code === op.LSH_K || code === op.RSH_K;
      return plain(code | x, isShift ? k % 32 : code === op.DIV_K ? Math.max(1, k) : k);
    }),
  },
  {
    weight: 5,
    arbitrary: fc
      .record({
        code: fc.constantFrom(...CONDITIONS),
        x: register,
        jt: fc.integer({ min: 0, max: 3 }),
        jf: fc.integer({ min: 0, max: 3 }),
        k: word,
      })
      .map(({ code, x, ...rest }) => ({ code: code | x, ...rest })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(op.LD_IMM, op.LDX_IMM), word)
      .map(([code, k]) => plain(code, k)),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(op.TAX, op.TXA, op.NEG, op.LD_W_LEN, op.LDX_W_LEN)
      .map((code) => plain(code, 0)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(op.ST, op.STX, op.LD_MEM, op.LDX_MEM), memory)
      .map(([code, k]) => plain(code, k)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }).map((k) => plain(op.JA, k)) },
);

/** Returns what was computed as an errno or a trap's number, so that the kernel shows it. */
function showing(action: number): Instruction[] {
  return [plain(op.AND_K, 0xfff), plain(op.OR_K, action), plain(op.RET_A, 0)];
}

/** A program that a kernel takes: scratch memory is written before, and no jump leaves it. */
export const arbitraryProgram: fc.Arbitrary<Program> = fc
  .record({
    seed: fc.tuple(word, word),
    body: fc.array(instruction, { minLength: 3, maxLength: 25 }),
    middle: fc.option(fc.constantFrom(...RETURNS), { nil: undefined }),
    end: fc.constantFrom(0x00050000, 0x00030000),
  })
  .map(({ seed, body, middle, end }) => [
    plain(op.LDX_IMM, seed[1]),
    plain(op.LD_IMM, seed[0]),
    ...[0, 1, 2, 3].map((at) => plain(at % 2 === 0 ? op.ST : op.STX, at)),
    ...body,
    // Where the jumps at the body's end come down.
    ...[0, 1, 2].map(() => plain(op.TXA, 0)),
    ...(middle === undefined ? [] : [{ code: op.JSET_K, jt: 0, jf: 1, k: 4 }]),
    ...(middle === undefined ? [] : [plain(op.RET_K, middle)]),
    ...showing(end),
  ]);

/** Any instruction at all, near what is allowed: most are refused for one reason or another. */
export const arbitraryRefused: fc.Arbitrary<Program> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: instruction },
      {
        weight: 1,
        arbitrary: fc.record({
          code: fc.oneof(
            fc.integer({ min: 0, max: 0xff }),
            fc.constantFrom(op.LD_W_ABS, op.DIV_K, op.LSH_K, op.ST, op.LD_MEM, op.JA, 0x94, 0x48),
          ),
          jt: fc.integer({ min: 0, max: 6 }),
          jf: fc.integer({ min: 0, max: 6 }),
          k: fc.oneof(fc.integer({ min: 0, max: 70 }), word),
        }),
      },
    ),
    { minLength: 1, maxLength: 8 },
  )
  .chain((body) =>
    fc.boolean().map((ends) => (ends ? [...body, plain(op.RET_K, 0x7fff0000)] : body)),
  );
