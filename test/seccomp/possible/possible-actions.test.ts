import test from 'ava';
import fc from 'fast-check';
import type { ArchitectureName } from '../../../src/seccomp/architecture.js';
import { PolicyEvaluator } from '../../../src/seccomp/evaluate.js';
import type { Operator, Policy } from '../../../src/seccomp/policy.js';
import {
  type KnownWords,
  possibleActions,
} from '../../../src/seccomp/possible/possible-actions.js';
import { WordSet } from '../../../src/seccomp/possible/word-set.js';
import { seccompData } from '../../../src/seccomp/seccomp-data.js';
import { formatAction } from '../../../src/seccomp/verdict.js';
import { ALLOW, atom, errno, filter, KILL, policyOf } from '../policy-builder.js';
import { isMet } from '../policy-verdict.js';

const OPERATORS: readonly Operator[] = ['==', '!=', '<', '<=', '>', '>=', '&', 'in'];

/** What some of the words 0 to 15 and a few large ones do; no others are needed, for the constants are below 8. */
const WORDS = [...Array.from({ length: 16 }, (_, word) => BigInt(word)), 1n << 31n, 1n << 63n];

const literal = fc.record({
  operator: fc.constantFrom(...OPERATORS),
  value: fc.bigInt(0n, 7n),
  holds: fc.boolean(),
});

test('a set of words has a witness if and only if some word satisfies every literal', (t) => {
  fc.assert(
    fc.property(fc.array(literal, { maxLength: 8 }), (literals) => {
      const satisfies = (word: bigint) =>
        literals.every(({ operator, value, holds }) => isMet(word, value, operator) === holds);
      const witness = literals.reduce((set, each) => set.and(each), WordSet.all(64)).witness();
      if (witness === undefined) t.false(WORDS.some(satisfies));
      else t.true(satisfies(witness), String(witness));
    }),
    { numRuns: 3000 },
  );
});

test('large words: bounds, masks and words that are left out, together', (t) => {
  const all = WordSet.all(64).and({ operator: '>=', value: 0xffff_ffff_ffff_fff0n, holds: true });
  t.is(all.and({ operator: 'in', value: 0xffff_ffffn, holds: true }).witness(), undefined);
  const high = all.and({ operator: '&', value: 3n, holds: false });
  t.is(high.witness(), 0xffff_ffff_ffff_fff0n);
  const [first, second] = [0xffff_ffff_ffff_fff0n, 0xffff_ffff_ffff_fff4n];
  const without = [first, second, 0xffff_ffff_ffff_fff8n, 0xffff_ffff_ffff_fffcn].reduce(
    (set, value) => set.and({ operator: '==', value, holds: false }),
    high,
  );
  t.is(without.witness(), undefined, 'the four multiples of 4 are left out');
  const none = { operator: '>', value: 0xffff_ffffn, holds: true } as const;
  t.is(WordSet.all(32).and(none).witness(), undefined);
  t.not(WordSet.all(64).and(none).witness(), undefined);
});

function wordsOf(policy: Policy, known: KnownWords): readonly string[] {
  const number = policy.architecture.syscalls.get('ioctl') ?? 0;
  return possibleActions(policy, number, known).actions.map(({ action }) => formatAction(action));
}

test('what is not known does not matter where it does not', (t) => {
  const either = policyOf({
    syscalls: { ioctl: [filter(ALLOW, [atom(0, '==', 1)], [atom(0, '!=', 1)])] },
  });
  t.deepEqual([...new Set(wordsOf(either, []))], ['ALLOW'], 'one or the other holds');
  const never = policyOf({
    syscalls: { ioctl: [filter(ALLOW, [atom(1, '>', 5), atom(1, 'in', 3)])] },
  });
  t.deepEqual(wordsOf(never, []), ['KILL_THREAD'], 'both cannot hold');
  const two = policyOf({
    syscalls: { ioctl: [filter(ALLOW, [atom(0, '==', 1), atom(2, '==', 9)])] },
  });
  t.deepEqual(wordsOf(two, [undefined, undefined, 4n]), ['KILL_THREAD'], 'the known one fails');
  t.deepEqual(wordsOf(two, [undefined, undefined, 9n]), ['ALLOW', 'KILL_THREAD']);
  t.deepEqual(wordsOf(two, [1n, undefined, 9n]), ['ALLOW']);
});

const anyAtom = fc
  .tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom(...OPERATORS), fc.bigInt(0n, 7n))
  .map(([argument, operator, value]) => atom(argument, operator, value));
const anyFilter = fc
  .tuple(
    fc.constantFrom(ALLOW, KILL, errno(1)),
    fc.array(fc.array(anyAtom, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
  )
  .map(([action, clauses]) => filter(action, ...clauses));
const anyPolicy = fc
  .tuple(
    fc.constantFrom<ArchitectureName>('x86_64', 'arm'),
    fc.array(anyFilter, { minLength: 1, maxLength: 3 }),
  )
  .map(([architecture, filters]) => policyOf({ architecture, syscalls: { ioctl: filters } }));
const anyKnown = fc.array(fc.option(fc.bigInt(0n, 15n), { nil: undefined }), {
  minLength: 3,
  maxLength: 3,
});

test('exactly the actions that some arguments bring about, each with such arguments', (t) => {
  fc.assert(
    fc.property(anyPolicy, anyKnown, (policy, known) => {
      const number = policy.architecture.syscalls.get('ioctl') ?? 0;
      const evaluator = new PolicyEvaluator(policy);
      const actionOf = (args: readonly bigint[]) =>
        formatAction(evaluator.actionOf(seccompData(policy.architecture.auditArch, number, args)));
      const { actions } = possibleActions(policy, number, known);
      for (const { action, witness } of actions) t.is(actionOf(witness), formatAction(action));
      const choices = known.map((word) => (word === undefined ? WORDS.slice(0, 16) : [word]));
      const seen = new Set<string>();
      for (const a of choices[0] ?? []) {
        for (const b of choices[1] ?? []) {
          for (const c of choices[2] ?? []) seen.add(actionOf([a, b, c]));
        }
      }
      t.deepEqual(
        [...new Set(actions.map(({ action }) => formatAction(action)))].sort(),
        [...seen].sort(),
      );
    }),
    { numRuns: 400 },
  );
});

test('one argument in a long list of values is looked at in no time', (t) => {
  const clauses = Array.from({ length: 800 }, (_, value) => [
    atom(1, '==', value),
    atom(0, '&', 6),
  ]);
  const policy = policyOf({ syscalls: { ioctl: [filter(ALLOW, ...clauses)] } });
  t.deepEqual([...new Set(wordsOf(policy, []))].sort(), ['ALLOW', 'KILL_THREAD']);
});
