import fc from 'fast-check';
import { architectureOf } from '../../src/seccomp/architecture.js';
import type { Action, Atom, Filter, Operator, Policy } from '../../src/seccomp/policy.js';
import { atom, policyOf } from './policy-builder.js';

const OPERATORS: readonly Operator[] = ['==', '!=', '<', '<=', '>', '>=', '&', 'in'];

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Action>({ kind: 'allow' }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Action>(
      ...(['kill-process', 'kill-thread', 'trap', 'trace', 'log', 'user-notify'] as const).map(
        (kind) => ({ kind }),
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0, 1, 38, 4095, 65535)
      .map((errno): Action => ({ kind: 'errno', errno })),
  },
);

/** Few values, so that rules overlap, and those at which halves and signs turn. */
const word64 = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(0n, 9n) },
  { weight: 2, arbitrary: fc.bigInt(0n, 7n).map((low) => (low << 32n) | (low ^ 1n)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 32n, (1n << 63n) - 1n, 1n << 63n],
      ...[(1n << 64n) - 1n, (1n << 64n) - 2n, 0xfffffffbn, (1n << 64n) - 5n, 0xffffffff00000000n],
    ),
  },
  { weight: 1, arbitrary: fc.bigInt(0n, (1n << 64n) - 1n) },
);

function atoms(wordBits: 32 | 64): fc.Arbitrary<Atom> {
  const mask = (1n << BigInt(wordBits)) - 1n;
  return fc
    .tuple(
      fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom(0, 1, 2) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 3, 4, 5) },
      ),
      fc.constantFrom(...OPERATORS),
      word64,
    )
    .map(([argument, operator, value]) => atom(argument, operator, value & mask));
}

/** A syscall's filters. */
export function arbitraryFilters(wordBits: 32 | 64): fc.Arbitrary<Filter[]> {
  const clause = fc.array(atoms(wordBits), { minLength: 1, maxLength: 3 });
  const values = fc
    .tuple(fc.constantFrom(0, 1, 2), fc.uniqueArray(word64, { minLength: 2, maxLength: 20 }))
    .map(([argument, list]) =>
      list.map((value) => [atom(argument, '==', value & ((1n << BigInt(wordBits)) - 1n))]),
    );
  const clauses = fc.oneof(
    { weight: 3, arbitrary: fc.array(clause, { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: values },
  );
  const span = { file: 'test.policy', line: 1, column: 1, length: 1 };
  const conditional = fc
    .tuple(clauses, action)
    .map(([all, then]): Filter => ({ clauses: all, action: then, span }));
  const always = action.map((then): Filter => ({ clauses: [], action: then, span }));
  return fc.oneof(
    { weight: 2, arbitrary: always.map((one) => [one]) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          fc.array(conditional, { minLength: 1, maxLength: 3 }),
          fc.option(always, { nil: undefined }),
        )
        .map(([some, end]) => (end === undefined ? some : [...some, end])),
    },
  );
}

/** Any policy of any architecture, with some syscalls far more frequent than others. */
export const arbitraryPolicy: fc.Arbitrary<Policy> = fc
  .constantFrom('x86_64', 'aarch64', 'arm')
  .chain((name) => {
    const architecture = architectureOf(name);
    const number = fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }) },
      { weight: 1, arbitrary: fc.constantFrom(...architecture.syscallNames.keys()) },
    );
    const rules = fc.record({
      filters: arbitraryFilters(architecture.wordBits),
      otherwise: action,
    });
    return fc
      .record({
        defaultAction: action,
        syscalls: fc.array(fc.tuple(number, rules), { maxLength: 30 }),
        frequencies: fc.array(fc.tuple(number, fc.integer({ min: 1, max: 1_000_000 }))),
      })
      .map(({ defaultAction, syscalls, frequencies }) =>
        policyOf({
          architecture,
          defaultAction,
          syscalls: Object.fromEntries(syscalls),
          frequencies: Object.fromEntries(frequencies),
        }),
      );
  });
