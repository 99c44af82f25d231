import test from 'ava';
import { NS_PER_S } from '../../src/hal/contract/units.js';
import type { PolicyDecision, PolicySample } from '../../src/policy/policy-observer.js';
import type { Finding } from '../../src/program.js';
import { type BalloonVmConfig, DEFAULT_CONFIG } from '../../src/programs/balloon-config.js';
import { RecoveryCheck } from '../../src/programs/recovery-check.js';

const MIB = 2 ** 20;
const STEP = 32 * MIB;
const MARGIN = 200;
const PAGES_OF_STEP = STEP / 4096;

/** One act of a run; the times are in seconds. */
type Act = (check: RecoveryCheck) => void;

const available =
  (availableMiB: number): Act =>
  (check) =>
    check.sample({ availableMiB, marginMiB: MARGIN } as PolicySample);
const decision =
  (seconds: number, why: object, currentBytes: number): Act =>
  (check) =>
    check.decision({ timeNs: seconds * NS_PER_S, why, currentBytes } as unknown as PolicyDecision);
const grow = (seconds: number, fromBytes: number, toBytes = fromBytes + STEP): Act =>
  decision(seconds, { rule: 'P1.1-grow', fromBytes, toBytes }, fromBytes);
const shrink = (seconds: number, fromBytes: number): Act =>
  decision(seconds, { rule: 'P1.3-shrink', fromBytes, toBytes: fromBytes - STEP }, fromBytes);
const delivered = (seconds: number, currentBytes: number): Act =>
  decision(seconds, { rule: 'P1.5-delivered' }, currentBytes);
const actual =
  (pages: number): Act =>
  (check) =>
    check.actualChanged(pages);
const end: Act = (check) => check.ended({ kind: 'power-off' });

const GOOD: readonly Act[] = [
  available(300),
  available(150),
  grow(10, 0),
  delivered(10, STEP),
  actual(PAGES_OF_STEP),
  grow(11, STEP),
  delivered(11, 2 * STEP),
  actual(2 * PAGES_OF_STEP),
  available(210),
  available(400),
  shrink(80, 2 * STEP),
  delivered(80, STEP),
  actual(PAGES_OF_STEP),
  shrink(110, STEP),
  delivered(110, 0),
  actual(0),
  end,
];

function judge(acts: readonly Act[], change: Partial<BalloonVmConfig> = {}): readonly Finding[] {
  const check = new RecoveryCheck({ ...DEFAULT_CONFIG, ramMiB: 1024, ...change });
  for (const act of acts) act(check);
  return check.findings();
}

const failing = (findings: readonly Finding[]): string[] =>
  findings.filter(({ holds }) => !holds).map(({ what }) => what);

test('a run that shows all of it passes, with its figures', (t) => {
  const findings = judge(GOOD);
  t.deepEqual(failing(findings), []);
  t.deepEqual(
    findings.map(({ detail }) => detail),
    [
      '150 of 200 MiB',
      '2 steps of 32 MiB of at most 512 MiB',
      'up to 64 MiB',
      '210 MiB',
      'after 99.0 s, in 2 steps; the guest holds 0 pages',
      'power-off',
    ],
  );
});

const without = (...gone: readonly Act[]): Act[] => GOOD.filter((act) => !gone.includes(act));

for (const [what, acts, reason] of [
  ['no pressure', without(GOOD[1] as Act), /under the margin/],
  ['a step of another size', [grow(9, 0, STEP - 1), ...GOOD], /by a sixteenth/],
  [
    'a guest that gives nothing',
    GOOD.filter((act) => act !== GOOD[4] && act !== GOOD[7] && act !== GOOD[12]),
    /gave memory/,
  ],
  ['memory that does not come back', [...without(GOOD[8] as Act, GOOD[9] as Act)], /came back/],
  ['memory that falls again and stays there', [...GOOD, available(199)], /came back/],
  ['a balloon that is not emptied', GOOD.slice(0, 13).concat(end), /empty again/],
  ['a guest that keeps its pages', [...GOOD, actual(1)], /empty again/],
  ['no end', GOOD.slice(0, -1), /orderly/],
  [
    'a panic',
    [...GOOD.slice(0, -1), (c: RecoveryCheck) => c.ended({ kind: 'panic', message: '' })],
    /orderly/,
  ],
] as const) {
  test(`${what} is found`, (t) => {
    const found = failing(judge(acts));
    t.is(found.length, 1, found.join('; '));
    t.regex(found[0] ?? '', reason);
  });
}

test('the time to an empty balloon is limited as P1.c says, and scales with the policy', (t) => {
  const worstJitter = GOOD.map((act, index) => (index === 14 ? delivered(11 + 596.03, 0) : act));
  t.deepEqual(failing(judge(worstJitter)), []);
  const late = GOOD.map((act, index) => (index === 14 ? delivered(11 + 596.5, 0) : act));
  t.regex(failing(judge(late)).join(), /within 596\.0 s/);
  const just = GOOD.map((act, index) => (index === 14 ? delivered(11 + 595.5, 0) : act));
  t.deepEqual(failing(judge(just)), []);
  t.regex(failing(judge(GOOD, { timeScale: 0.1 })).join(), /within 59\.6 s/);
  const noRoom = decision(70, { rule: 'P1.3-not-enough-room' }, 2 * STEP);
  const waited = late.flatMap((act, index) => (index === 10 ? [noRoom, act] : [act]));
  t.deepEqual(failing(judge(waited)), []);
});
