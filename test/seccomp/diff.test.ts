import test from 'ava';
import fc from 'fast-check';
import { architectureOf } from '../../src/seccomp/architecture.js';
import {
  ArchitectureMismatchError,
  diffPolicies,
  formatDifference,
} from '../../src/seccomp/diff/diff-policies.js';
import { solveWord } from '../../src/seccomp/diff/word-solver.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Policy } from '../../src/seccomp/policy.js';
import { formatAction } from '../../src/seccomp/verdict.js';
import { arbitraryPolicy } from './arbitrary-policy.js';
import { policyEdges } from './edges.js';
import { ALLOW, atom, filter, policyOf } from './policy-builder.js';

function parse(text: string): Policy {
  const architecture = architectureOf('x86_64');
  return parsePolicy({ text, file: 'a', dialect: 'minijail-python', architecture }).policy;
}

function lines(a: string, b: string): string[] {
  return diffPolicies(parse(a), parse(b)).differences.map(formatDifference);
}

test('the change of the original, and its direction', (t) => {
  const old = parse('madvise: arg2 == MADV_DONTNEED\n');
  const wider = parse('madvise: arg2 == MADV_DONTNEED || arg2 == MADV_REMOVE\n');
  const diff = diffPolicies(old, wider);
  t.deepEqual(diff.differences.map(formatDifference), [
    'madvise: KILL_THREAD → ALLOW for arg2 = 9',
  ]);
  t.deepEqual([...(diff.differences[0]?.witness ?? [])].slice(8, 10), [9, 0]);
  t.is(diff.aWithinB, true);
  t.is(diff.bWithinA, false);
});

test('what means the same is no difference', (t) => {
  t.deepEqual(lines('read: arg0 != 4\n', 'read: arg0 < 4 || arg0 > 4\n'), []);
  t.deepEqual(lines('read: arg0 in 7\n', 'read: arg0 <= 7\n'), []);
  t.deepEqual(lines('read: arg0 & 6\n', 'read: arg0 & 2 || arg0 & 4\n'), []);
  t.deepEqual(lines('read: 1\n', 'read: arg0 < 9 || arg0 >= 9\n'), []);
});

test('differences name the arguments', (t) => {
  t.deepEqual(lines('read: arg0 < 10\n', 'read: arg0 < 12 && arg1 == 1\n'), [
    'read: ALLOW → KILL_THREAD for arg0 = 0..9, arg1 = 0 or 2..0xffffffff; arg0 = 0..9, arg1.high = 1..0xffffffff',
    'read: KILL_THREAD → ALLOW for arg0 = 0xa..0xb, arg1 = 1',
  ]);
  t.deepEqual(lines('read: 1\n', 'read: return EPERM\nwrite: 1\n'), [
    'read: ALLOW → ERRNO(1) for any arguments',
    'write: KILL_THREAD → ALLOW for any arguments',
  ]);
  t.deepEqual(lines('@default trap\n', '@default kill-process\n'), [
    'all other syscalls: TRAP → KILL_PROCESS for any arguments',
  ]);
});

test('policies of two architectures are refused', (t) => {
  const arm = policyOf({ architecture: 'arm', syscalls: {} });
  const error = t.throws(() => diffPolicies(arm, policyOf({ syscalls: {} })), {
    instanceOf: ArchitectureMismatchError,
  });
  t.is(error?.code, 'ARCHITECTURE_MISMATCH');
});

test('rules that are too entangled are said to be undecided, not equal', (t) => {
  const clauses = Array.from({ length: 14 }, (_, bit) => [
    atom(0, '&', 3 << bit),
    atom(1, '&', 5 << bit),
    atom(2, 'in', 0x7fffffff ^ (9 << bit)),
    atom(3, '>', bit),
  ]);
  const a = policyOf({ syscalls: { read: [filter(ALLOW, ...clauses)] } });
  const b = policyOf({ syscalls: { read: [filter(ALLOW, ...clauses.slice(1))] } });
  const { undecided, aWithinB, bWithinA, differences } = diffPolicies(a, b);
  t.log(differences.length);
  t.deepEqual(undecided, ['read']);
  t.is(aWithinB, undefined);
  t.is(bWithinA, undefined);
});

test('a mask within another one, known to be clear, decides the rest of it: no difference that cannot be', (t) => {
  const rules = [
    filter({ kind: 'kill-process' }, [atom(1, '<', 1)], [atom(1, '&', 1)]),
    filter({ kind: 'kill-process' }, [atom(1, '&', 3)], [atom(0, '==', 0)]),
  ];
  const a = policyOf({ defaultAction: { kind: 'kill-process' }, syscalls: {} });
  const b = policyOf({ defaultAction: { kind: 'kill-process' }, syscalls: { read: rules } });
  // What no rule of b names it allows; that is where they differ.
  const allowing = new Map(
    [...b.syscalls].map(([number, each]) => [number, { ...each, otherwise: ALLOW }]),
  );
  const [difference, ...more] = diffPolicies(a, { ...b, syscalls: allowing }).differences;
  t.deepEqual(more, []);
  const judge = new PolicyEvaluator({ ...b, syscalls: allowing });
  t.deepEqual(judge.actionOf(difference?.witness ?? new Uint32Array(16)), ALLOW);
  t.true(
    difference?.where.every((place) => !/a bit of 3.*no bit of 2/.test(place)),
    `${difference?.where}`,
  );
});

/** Two policies that have much in common. */
const pairs = fc
  .tuple(arbitraryPolicy, arbitraryPolicy, fc.integer({ min: 0, max: 5 }))
  // A value of 64 bits is none for a 32-bit architecture.
  .filter(([a, other]) => a.architecture.wordBits === other.architecture.wordBits)
  .map(([a, other, changed]): [Policy, Policy] => {
    const syscalls = new Map(a.syscalls);
    for (const [number, rules] of [...other.syscalls].slice(0, changed))
      syscalls.set(number, rules);
    // A clause less is the usual change.
    for (const [number, rules] of syscalls) {
      const [first, ...rest] = rules.filters;
      if (number % 3 !== 0 || first === undefined || first.clauses.length < 2) continue;
      const filters = [{ ...first, clauses: first.clauses.slice(1) }, ...rest];
      syscalls.set(number, { ...rules, filters });
    }
    return [a, { ...a, syscalls }];
  });

test('diff lists all differences and no others', (t) => {
  const counts = { differences: 0, edges: 0, undecided: 0 };
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      const diff = diffPolicies(a, b);
      const judges = [new PolicyEvaluator(a), new PolicyEvaluator(b)] as const;
      counts.undecided += diff.undecided.length;
      counts.differences += diff.differences.length;
      for (const { witness, from, to, name } of diff.differences) {
        t.deepEqual(judges[0].actionOf(witness), from, name);
        t.deepEqual(judges[1].actionOf(witness), to, name);
      }
      const listed = new Set(
        diff.differences.map(
          ({ number, from, to }) => `${number} ${formatAction(from)} ${formatAction(to)}`,
        ),
      );
      for (const data of [...policyEdges(a), ...policyEdges(b)].filter((_, i) => i % 7 === 0)) {
        const [from, to] = judges.map((judge) => judge.actionOf(data));
        if (from === undefined || to === undefined) throw new Error('two judges');
        if (formatAction(from) === formatAction(to)) continue;
        counts.edges++;
        const number = data[0] as number;
        const key = `${number} ${formatAction(from)} ${formatAction(to)}`;
        if (!listed.has(key)) throw new Error(`${key} is not listed`);
        if (from.kind === 'allow') t.false(diff.aWithinB);
        if (to.kind === 'allow') t.false(diff.bWithinA);
      }
    }),
    { numRuns: 20, includeErrorInReport: true },
  );
  t.log(JSON.stringify(counts));
  t.true(counts.differences > 20 && counts.edges > 100);
});

test('a value of a word is found where there is one', (t) => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(byte, byte, byte, fc.array(byte, { maxLength: 3 }), (x, y, clear, anyOf) => {
      const [low, high] = [Math.min(x, y), Math.max(x, y)];
      const found = solveWord({ low, high, clear, anyOf }, () => {});
      const all = Array.from({ length: high - low + 1 }, (_, index) => low + index);
      const expected = all.filter(
        (value) => (value & clear) === 0 && anyOf.every((mask) => (value & mask) !== 0),
      );
      if (expected.length === 0) t.is(found, undefined);
      else t.true(found !== undefined && expected.includes(found));
    }),
    { numRuns: 3000 },
  );
});
