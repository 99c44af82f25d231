import test from 'ava';
import fc from 'fast-check';
import { atomHolds } from '../../src/seccomp/atom-holds.js';
import { ArgumentSet } from '../../src/seccomp/lint/argument-set.js';
import { clauseImplies, isContradiction, isCovered } from '../../src/seccomp/lint/clause-logic.js';
import type { Atom, Clause, Operator } from '../../src/seccomp/policy.js';

const span = { file: 'p', line: 1, column: 1, length: 1 };
const top = (1n << 64n) - 1n;
/** Small words, and some with high bits, so that what a set has is found by trying. */
const WORDS = [
  ...Array.from({ length: 40 }, (_, word) => BigInt(word)),
  ...[31n, 32n, 33n, 62n, 63n].flatMap((bit) => [(1n << bit) - 1n, 1n << bit, (1n << bit) + 5n]),
  top - 1n,
  top,
];

const atoms = fc.record<Atom>({
  argument: fc.constantFrom(0, 1),
  operator: fc.constantFrom<Operator>('==', '!=', '<', '<=', '>', '>=', '&', 'in'),
  value: fc.oneof(
    fc.bigInt({ min: 0n, max: 12n }),
    fc.constantFrom(...WORDS),
    fc.constantFrom(...WORDS).map((word) => top ^ word),
  ),
  span: fc.constant(span),
});
const clauses = fc.array(atoms, { minLength: 1, maxLength: 3 });

const holds = (clause: Clause, args: readonly bigint[]) =>
  clause.every((atom) => atomHolds(atom, args[atom.argument] ?? 0n));

function* points(): Generator<readonly bigint[]> {
  for (const first of WORDS) for (const second of WORDS) yield [first, second];
}

function refuted(claim: (args: readonly bigint[]) => boolean): boolean {
  for (const args of points()) if (!claim(args)) return true;
  return false;
}

test('a clause that is called contradictory holds for nothing', (t) => {
  let claims = 0;
  fc.assert(
    fc.property(clauses, (clause) => {
      if (!isContradiction(clause, 64)) return true;
      claims += 1;
      return !refuted((args) => !holds(clause, args));
    }),
    { numRuns: 2000 },
  );
  t.true(claims > 50);
});

test('a clause that is called covered holds only where another one does', (t) => {
  let claims = 0;
  fc.assert(
    fc.property(clauses, fc.array(clauses, { maxLength: 3 }), (clause, others) => {
      if (!isCovered(clause, others, 64)) return true;
      claims += 1;
      return !refuted((args) => !holds(clause, args) || others.some((other) => holds(other, args)));
    }),
    { numRuns: 2000 },
  );
  t.true(claims > 50);
});

test('a clause implies another one only if it does', (t) => {
  let claims = 0;
  fc.assert(
    fc.property(clauses, clauses, (first, second) => {
      if (!clauseImplies(first, second, 64)) return true;
      claims += 1;
      return !refuted((args) => !holds(first, args) || holds(second, args));
    }),
    { numRuns: 3000 },
  );
  t.true(claims > 50);
});

const atom = (operator: Operator, value: bigint): Atom => ({ argument: 0, operator, value, span });

const IMPLIED: readonly (readonly [readonly Atom[], Atom])[] = [
  [[atom('in', 6n)], atom('<', 7n)],
  [[atom('in', 6n)], atom('in', 0xffn)],
  [[atom('in', 0xffff0000n)], atom('!=', 1n)],
  [[atom('<', 0x1000n)], atom('in', 0xffffn)],
  [[atom('&', 6n)], atom('&', 0xfn)],
  [[atom('&', 6n)], atom('>=', 2n)],
  [[atom('>=', 0x100000n), atom('<', 0x180000n)], atom('&', 0x100000n)],
  [[atom('>', 5n)], atom('>=', 6n)],
];

test('implications by bounds and by bits are seen', (t) => {
  for (const [atoms, implied] of IMPLIED) {
    t.true(new ArgumentSet(64, atoms).implies(implied), `${implied.operator} ${implied.value}`);
  }
  for (const [known, unsure] of [
    [atom('>', 5n), atom('>', 6n)],
    [atom('>=', 6n), atom('>', 6n)],
    [atom('<=', 0x1000n), atom('<', 0x1000n)],
    [atom('<=', 0x1000n), atom('<=', 0xfffn)],
    [atom('<=', 0x1000n), atom('in', 0xfffn)],
    [atom('in', 0xffff0000n), atom('!=', 0x10000n)],
  ] as const) {
    t.false(new ArgumentSet(64, [known]).implies(unsure), `${unsure.operator} ${unsure.value}`);
  }
  t.false(new ArgumentSet(64, []).isEmpty);
});
