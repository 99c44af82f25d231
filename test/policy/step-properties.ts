import fc from 'fast-check';
import { BYTES_PER_MIB, NS_PER_S } from '../../src/hal/contract/units.js';
import type { Observation } from '../../src/policy/step-types.js';
import { type LowSpan, type Policy, type Run, simulate, type World } from './simulator.js';

/** A property of the policy by its number in the description; `of` makes it for any policy, a mutant too. */
export interface PolicyProperty {
  readonly id: string;
  readonly says: string;
  of(policy: Policy): fc.IRawProperty<unknown, false>;
}

const GIB = 1024 * BYTES_PER_MIB;
const MARGIN_MIB = 400;

/** The maximum, written a second time on purpose: the policy's own must not judge itself. */
function expectedMax(ramBytes: number): number {
  if (ramBytes >= 1.5 * GIB) return ramBytes - GIB;
  return ramBytes >= GIB / 2 ? Math.trunc(ramBytes / 2) : 0;
}

function expectedIncrement(ramBytes: number): number {
  return Math.trunc(expectedMax(ramBytes) / 16);
}

function expectedRoomMiB(ramBytes: number): number {
  return 2 * (expectedIncrement(ramBytes) >> 20);
}

const anyRam = fc.oneof(
  fc.integer({ min: 0, max: 32 * GIB }),
  fc.integer({ min: -2, max: 2 }).map((off) => GIB / 2 + off),
  fc.integer({ min: -2, max: 2 }).map((off) => 1.5 * GIB + off),
);
/** Above the smallest size that has a balloon; 16 equal steps. */
const evenRam = fc.integer({ min: 16, max: 1024 }).map((count) => count * 32 * BYTES_PER_MIB);
const seed = fc.integer({ min: 0, max: 999_999_999 });

const lowSpans: fc.Arbitrary<LowSpan[]> = fc
  .array(
    fc.record({
      gapMs: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 200_000 })),
      lengthMs: fc.integer({ min: 1, max: 25_000 }),
    }),
    { maxLength: 12 },
  )
  .map((parts) => {
    const spans: LowSpan[] = [];
    let atMs = 0;
    for (const { gapMs, lengthMs } of parts) {
      const startMs = atMs + gapMs;
      atMs = startMs + lengthMs;
      spans.push({ startNs: startMs * 1e6, endNs: atMs * 1e6 });
    }
    return spans;
  });

/** Available memory that changes every 10 s, around what a shrink needs. */
const offsetsMiB = fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 1, maxLength: 40 });

interface Case {
  readonly ramBytes: number;
  readonly world: World;
}

function roomAt(ramBytes: number, offsets: readonly number[], nowNs: number): Observation {
  const offset = offsets[Math.floor(nowNs / (10 * NS_PER_S)) % offsets.length] ?? 0;
  const availableMiB = Math.max(0, MARGIN_MIB + expectedRoomMiB(ramBytes) + offset);
  return { status: 'read', availableMiB, marginMiB: MARGIN_MIB };
}

const anyCase: fc.Arbitrary<Case> = fc
  .record({ ramBytes: anyRam, lowSpans, seed, offsetsMiB })
  .map((drawn) => ({
    ramBytes: drawn.ramBytes,
    world: {
      lowSpans: drawn.lowSpans,
      seed: drawn.seed,
      observe: (nowNs) => roomAt(drawn.ramBytes, drawn.offsetsMiB, nowNs),
    },
  }));

const RUN_SECONDS = 1500;

function runCase(policy: Policy, { ramBytes, world }: Case): Run {
  return simulate(policy, { ramBytes }, world, RUN_SECONDS);
}

function always(lowForSeconds: number): World {
  return {
    lowSpans: [{ startNs: 0, endNs: lowForSeconds * NS_PER_S }],
    seed: 1,
    observe: () => ({ status: 'read', availableMiB: 1_000_000, marginMiB: MARGIN_MIB }),
  };
}

/** Changes of the balloon, in order. */
function changes(run: Run): { nowNs: number; from: number; to: number }[] {
  let from = 0;
  return run.sent.map(({ nowNs, targetBytes }) => {
    const change = { nowNs, from, to: targetBytes };
    from = targetBytes;
    return change;
  });
}

function expectThat(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

const bounds: PolicyProperty = {
  id: 'P1.a',
  says: 'the balloon stays between 0 and its maximum, and every sent value is a new one',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const run = runCase(policy, drawn);
      const max = expectedMax(drawn.ramBytes);
      for (const { result } of run.log) {
        const { currentBytes } = result.state;
        expectThat(currentBytes >= 0 && currentBytes <= max, `current ${currentBytes}`);
      }
      for (const { from, to } of changes(run)) expectThat(from !== to, `${to} was sent twice`);
    }),
};

const ramp: PolicyProperty = {
  id: 'P1.b',
  says: 'under continuous pressure the maximum is reached after 15 gaps, 15 to 18 s',
  of: (policy) =>
    fc.property(evenRam, seed, (ramBytes, drawn) => {
      const { sent } = simulate(policy, { ramBytes }, { ...always(30), seed: drawn }, 30);
      expectThat(sent.length === 16, `${sent.length} steps`);
      expectThat(sent.at(-1)?.targetBytes === expectedMax(ramBytes), 'the maximum');
      const seconds = ((sent.at(-1)?.nowNs ?? 0) - (sent[0]?.nowNs ?? 0)) / NS_PER_S;
      expectThat(seconds >= 15 && seconds <= 18, `${seconds} s`);
    }),
};

const wayDown: PolicyProperty = {
  id: 'P1.c',
  says: 'with room, the balloon is empty 510 to 596 s after the last low-memory event',
  of: (policy) =>
    fc.property(evenRam, seed, (ramBytes, drawn) => {
      const run = simulate(policy, { ramBytes }, { ...always(20), seed: drawn }, 1000);
      const last = run.sent.at(-1);
      const seconds = ((last?.nowNs ?? 0) - (run.lowNs.at(-1) ?? 0)) / NS_PER_S;
      expectThat(last?.targetBytes === 0, 'not empty');
      expectThat(seconds >= 510 && seconds <= 596, `${seconds} s`);
    }),
};

const hold: PolicyProperty = {
  id: 'P1.d',
  says: 'nothing shrinks within 60 s of a low-memory event',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const run = runCase(policy, drawn);
      for (const { nowNs, from, to } of changes(run)) {
        if (to > from) continue;
        const last = run.lowNs.findLast((at) => at <= nowNs) ?? -Infinity;
        expectThat(nowNs - last >= 60 * NS_PER_S, `shrunk ${(nowNs - last) / NS_PER_S} s after`);
      }
    }),
};

const pace: PolicyProperty = {
  id: 'P1.e',
  says: 'at least 1000 ms pass between two grows',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const grows = changes(runCase(policy, drawn)).filter(({ from, to }) => to > from);
      grows.slice(1).forEach(({ nowNs }, index) => {
        const gap = nowNs - (grows[index]?.nowNs ?? 0);
        expectThat(gap >= NS_PER_S, `${gap} ns`);
      });
    }),
};

const room: PolicyProperty = {
  id: 'P1.f',
  says: 'a shrink is one increment, and happens exactly where available has reached margin + 2 increments',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const needed = MARGIN_MIB + expectedRoomMiB(drawn.ramBytes);
      for (const { nowNs, input, result } of runCase(policy, drawn).log) {
        if (input.kind !== 'free-memory-timer' || input.observation?.status !== 'read') continue;
        const sends = result.actions.filter((action) => action.kind === 'send').length;
        const wanted = input.observation.availableMiB >= needed ? 1 : 0;
        expectThat(sends === wanted, `${sends} sends at ${nowNs}`);
      }
    }),
};

const stepSize: PolicyProperty = {
  id: 'P1.1',
  says: 'every change is one increment, except where the maximum or 0 cuts it',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const max = expectedMax(drawn.ramBytes);
      const increment = expectedIncrement(drawn.ramBytes);
      for (const { from, to } of changes(runCase(policy, drawn))) {
        const wanted = to > from ? Math.min(from + increment, max) : Math.max(0, from - increment);
        expectThat(to === wanted, `from ${from} to ${to}`);
      }
    }),
};

const noBalloon: PolicyProperty = {
  id: 'P1.g',
  says: 'without a balloon the policy wakes about once a second under pressure and sends nothing',
  of: (policy) =>
    fc.property(fc.integer({ min: 0, max: GIB / 2 - 1 }), seed, (ramBytes, drawn) => {
      const run = simulate(policy, { ramBytes }, { ...always(60), seed: drawn }, 60);
      expectThat(run.sent.length === 0, 'something was sent');
      const wakes = run.lowNs.length;
      expectThat(wakes >= 60 / 1.2 && wakes <= 61, `${wakes} wakes in 60 s`);
    }),
};

const sameAgain: PolicyProperty = {
  id: 'P1.h',
  says: 'the same seed and events give the same steps',
  of: (policy) =>
    fc.property(anyCase, (drawn) => {
      const [first, second] = [runCase(policy, drawn), runCase(policy, drawn)];
      expectThat(JSON.stringify(first.log) === JSON.stringify(second.log), 'two runs differ');
    }),
};

const noGuest: PolicyProperty = {
  id: 'P1.i',
  says: 'guest statistics beside the inputs change nothing',
  of: (policy) =>
    fc.property(anyCase, fc.integer(), (drawn, freeMemory) => {
      const talkative: Policy = {
        initial: (config) => policy.initial({ ...config, ...{ freeMemory } }),
        step: (state, input) => policy.step(state, { ...input, ...{ freeMemory } }),
      };
      const [plain, noisy] = [runCase(policy, drawn), runCase(talkative, drawn)];
      expectThat(JSON.stringify(plain.sent) === JSON.stringify(noisy.sent), 'the guest was heard');
    }),
};

export const POLICY_PROPERTIES: readonly PolicyProperty[] = [
  bounds,
  ramp,
  wayDown,
  hold,
  pace,
  room,
  stepSize,
  noBalloon,
  sameAgain,
  noGuest,
];
