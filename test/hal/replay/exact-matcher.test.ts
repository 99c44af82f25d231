import test from 'ava';
import fc from 'fast-check';
import type { HalOf } from '../../../src/hal/contract/define.js';
import { HalError } from '../../../src/hal/contract/errors.js';
import { implement } from '../../../src/hal/contract/implementation.js';
import { TurnSchema } from '../../../src/hal/contract/schema.js';
import { CONTRACTS } from '../../../src/hal/contract-list.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { TurnBuffer } from '../../../src/hal/record/turn-buffer.js';
import { formatDivergence } from '../../../src/hal/replay/divergence.js';
import { ExactMatcher } from '../../../src/hal/replay/exact-matcher.js';
import { decodeTurn } from '../../../src/hal/replay/turn-decoder.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { encodeTurn, turnsOf as randomTurns } from '../arbitrary.js';
import { Toy } from '../contract/toy.js';
import { divergenceOf, recording, replaying, type TestProgram, turnsOf } from '../harness.js';

type ToyHal = HalOf<typeof Toy>;

function toySide(overrides: Partial<ToyHal> = {}) {
  return implement(Toy, () => ({
    plain: ({ a, b }) => a + b,
    nothing: () => {},
    several: () => ({ low: -5, high: 2n ** 63n, level: 'half-on' }),
    fill: ({ into, frames }) => {
      into.fill(7);
      frames.forEach((_, index) => {
        frames[index] = 1000 + index;
      });
      return true;
    },
    maybe: ({ first }) => ({ count: first, reply: undefined }),
    find: ({ key }) => (key === 'there' ? 3 : undefined),
    lists: () => [1, 2],
    answer: () => {},
    ...overrides,
  }));
}

function record(program: TestProgram, overrides: Partial<ToyHal> = {}) {
  const run = recording([Toy], [toySide(overrides)]);
  run.start(program);
  return run;
}

const toyProgram =
  (seen: unknown[] = []): TestProgram =>
  ({ get }) => {
    const toy = get(Toy);
    const into = new Uint8Array(3);
    const frames = new Uint32Array(200);
    toy.nothing();
    seen.push(toy.plain({ a: 1, b: 4e9 }));
    seen.push(toy.several({ name: 'x' }));
    seen.push(toy.fill({ at: 1, into, frames }), into.slice(), frames.slice());
    // The same buffers again: a recorder that kept them would write the later content.
    into.fill(9);
    seen.push(toy.maybe({ first: 0, label: undefined, third: undefined }));
    seen.push(toy.maybe({ first: undefined, label: '', third: new Uint8Array(0) }));
    const rows = [{ id: 1, celsius: 20.5 }];
    seen.push(toy.lists({ numbers: new Uint32Array(40), ranges: new Float64Array([8, 8]), rows }));
    seen.push(toy.find({ key: 'there' }));
    // An absent result as the very last bytes of a turn.
    seen.push(toy.find({ key: undefined }));
  };

test('a program over the toy contract replays: the same results, the same bytes', (t) => {
  const recorded: unknown[] = [];
  const { buffer } = record(toyProgram(recorded));
  for (let round = 0; round < 2; round++) {
    const replayed: unknown[] = [];
    const { again, end } = replaying([Toy], buffer, toyProgram(replayed));
    t.deepEqual(replayed, recorded);
    t.deepEqual(turnsOf(again), turnsOf(buffer));
    t.is(end.calls, 9);
  }
});

test('results that round are rounded before the recorded program sees them', (t) => {
  const seen: number[] = [];
  const program: TestProgram = ({ reactor }) => {
    reactor.on(Toy, 'reading', 4, ({ celsius }) => seen.push(celsius));
  };
  const run = record(program);
  run.emit(Toy).reading({ sensor: 4, celsius: 20.123456 });
  replaying([Toy], run.buffer, program);
  t.deepEqual(seen, [20.123, 20.123]);
});

test('failed calls replay as the same errors', (t) => {
  const errors = [
    new HalError('SYSCALL_FAILED', 'madvise failed', { errno: 12, syscall: 'madvise' }),
    new HalError('BAD_HANDLE', 'no such handle'),
    new RangeError('an implementation’s own bug:\nin two lines'),
  ];
  const program = (seen: unknown[]): TestProgram => {
    return ({ get }) => {
      for (let count = 0; count < errors.length; count++) {
        const { is } = HalError;
        try {
          get(Toy).plain({ a: count, b: 0 });
        } catch (error) {
          const { name, message } = error as Error;
          const { code, errno, syscall } = error as HalError;
          seen.push({ hal: is(error), name, message, code, errno, syscall });
        }
      }
    };
  };
  const recorded: unknown[] = [];
  const replayed: unknown[] = [];
  const throwing = ({ a }: { a: number }): number => {
    throw errors[a];
  };
  const { buffer } = record(program(recorded), { plain: throwing });
  const { again } = replaying([Toy], buffer, program(replayed));
  t.is(recorded.length, 3);
  t.deepEqual(replayed, recorded);
  t.deepEqual(turnsOf(again), turnsOf(buffer));
});

test('a result that does not fit its declaration is refused, not written down', (t) => {
  const { ends } = record(
    ({ get, reactor }) => {
      get(Toy).plain({ a: 1, b: 1 });
      reactor.stop();
    },
    { plain: () => -1 },
  );
  t.regex(
    String(ends[0]?.failure),
    /the implementation of toy.plain returned .* must be a whole number/,
  );
});

/** Three calls in turn 0, two in turn 1. */
function base(
  run: { a?: number; skip?: number; extra?: boolean; swap?: boolean; late?: boolean } = {},
): TestProgram {
  return ({ get, reactor }) => {
    const toy = get(Toy);
    const calls = [
      () => toy.plain({ a: run.a ?? 1, b: 300 }),
      () => toy.several({ name: 'here' }),
      () => toy.fill({ at: 9, into: new Uint8Array(2), frames: new Uint32Array(1) }),
    ];
    if (run.swap === true) calls.reverse();
    calls.forEach((make, index) => {
      if (run.skip !== index) make();
    });
    if (run.extra === true) toy.nothing();
    reactor.on(Toy, 'bare', undefined, () => {
      toy.plain({ a: 7, b: 7 });
      if (run.late !== true) toy.nothing();
    });
  };
}

function baseRecording() {
  const run = record(base());
  run.emit(Toy).bare({});
  return run.buffer;
}

test('an unchanged program does not diverge', (t) => {
  t.is(replaying([Toy], baseRecording(), base()).end.turns, 2);
});

test('another argument is reported with its field', (t) => {
  const { report } = divergenceOf(() => replaying([Toy], baseRecording(), base({ a: 2 })));
  t.like(report, { kind: 'different-argument', lane: 'main', turn: 0, call: 0, event: 'start-up' });
  t.deepEqual(report.differences, [{ field: 'a', expected: '1', actual: '2' }]);
  t.is(report.expectedNext.length, 2);
  t.is(report.leftover, 3);
  t.true(report.stack.some((frame) => frame.includes('exact-matcher.test')));
});

test('a skipped call is reported where it was due, with what is recorded later', (t) => {
  const error = divergenceOf(() => replaying([Toy], baseRecording(), base({ skip: 1 })));
  t.like(error.report, { kind: 'different-call', turn: 0, call: 1 });
  t.like(error.report.nearestLater, { turn: 0, call: 2 });
  t.is(error.report.matchedBefore.length, 1);
  const text = formatDivergence(error.report);
  t.regex(text, /lane main, turn 0, call 1/);
  t.regex(text, /- expected {2}toy.several\(name: "here"\)/);
  t.regex(text, /\+ actual {4}toy.fill\(at: 9, into: buffer of 2/);
  t.regex(text, /skipped or reordered\? \(turn 0, call 2\)/);
});

test('swapped calls, extra calls, missing calls: each with its position', (t) => {
  const buffer = baseRecording();
  const swapped = divergenceOf(() => replaying([Toy], buffer, base({ swap: true })));
  t.like(swapped.report, { kind: 'different-call', turn: 0, call: 0 });
  t.is(swapped.report.nearestLater?.call, 2);
  const extra = divergenceOf(() => replaying([Toy], buffer, base({ extra: true })));
  t.like(extra.report, { kind: 'extra-call', turn: 0, call: 3, leftover: 0 });
  const missing = divergenceOf(() => replaying([Toy], buffer, base({ late: true })));
  t.like(missing.report, {
    kind: 'missing-call',
    turn: 1,
    call: 1,
    leftover: 1,
    event: 'toy.bare()',
  });
  t.is(missing.report.expected, 'toy.nothing()');
});

test('a buffer of another length is another argument', (t) => {
  const program = (length: number): TestProgram => {
    return ({ get }) => {
      get(Toy).fill({ at: 0, into: new Uint8Array(length), frames: new Uint32Array(0) });
    };
  };
  const { buffer } = record(program(4));
  const { report } = divergenceOf(() => replaying([Toy], buffer, program(5)));
  t.deepEqual(report.differences, [{ field: 'into.length', expected: '4', actual: '5' }]);
});

test('a buffer of another kind is refused in replay as it is in a recording', (t) => {
  const { buffer } = record(({ get }) => {
    get(Toy).fill({ at: 1, into: new Uint8Array(4), frames: new Uint32Array(2) });
  });
  const matcher = new ExactMatcher(new TurnSchema([Toy]), 'main');
  const bytes = buffer.turnBytes(0);
  matcher.beginTurn(bytes, 0, bytes.length);
  const fill = Toy.calls.find(({ name }) => name === 'fill');
  if (fill === undefined) throw new Error('the toy fills no more');
  const wrong = { at: 1, into: new Uint16Array(4), frames: new Uint32Array(2) };
  const error = t.throws(() => matcher.method(fill)(wrong), { instanceOf: HalError });
  t.is(error?.code, 'INVALID_ARGUMENT');
});

test('arguments may stand in any order, and beside others', (t) => {
  const straight = record(({ get }) => void get(Toy).plain({ a: 1, b: 2 }));
  const other = { c: 9, b: 2, a: 1 };
  const program: TestProgram = ({ get }) => void get(Toy).plain(other);
  t.deepEqual(turnsOf(record(program).buffer), turnsOf(straight.buffer));
  t.notThrows(() => replaying([Toy], straight.buffer, program));
});

test('optional arguments: given, not given, and the last thing in a turn', (t) => {
  const find = (key: string | undefined, fail = false): TestProgram => {
    return ({ get }) => {
      get(Toy).find({ key });
      if (fail) throw new Error('after the call');
    };
  };
  const third = (data: Uint8Array | undefined): TestProgram => {
    return ({ get }) => {
      get(Toy).maybe({ first: undefined, label: undefined, third: data });
      throw new Error('directly behind an absent argument');
    };
  };
  replaying([Toy], record(find(undefined, true)).buffer, find(undefined, true));
  replaying([Toy], record(third(undefined)).buffer, third(undefined));
  const pairs: [TestProgram, TestProgram][] = [
    [find(undefined), find('x')],
    [find('x'), find(undefined)],
    [third(undefined), third(new Uint8Array(0))],
    [third(new Uint8Array(0)), third(undefined)],
  ];
  for (const [recorded, replayed] of pairs) {
    const { report } = divergenceOf(() => replaying([Toy], record(recorded).buffer, replayed));
    t.like(report, { kind: 'different-argument', turn: 0, call: 0 });
  }
});

test('a swallowed divergence is still reported when the turn ends', (t) => {
  const { report } = divergenceOf(() =>
    replaying([Toy], baseRecording(), ({ get }) => {
      try {
        get(Toy).nothing();
      } catch {
        // A device that lives through failed calls must not live through this.
      }
      t.throws(() => get(Toy).plain({ a: 1, b: 300 }), { name: 'DivergenceError' });
    }),
  );
  t.like(report, { kind: 'different-call', turn: 0, call: 0 });
});

test('a program that stops early leaves turns over', (t) => {
  const { report } = divergenceOf(() =>
    replaying([Toy], baseRecording(), (hal) => {
      base()(hal);
      hal.reactor.stop();
    }),
  );
  t.like(report, { kind: 'leftover-turns', turn: 1, call: 0, event: 'toy.bare()' });
});

test('a handler that fails only now, only then, or otherwise diverges', (t) => {
  const failing = (message: string | undefined): TestProgram => {
    return () => {
      if (message !== undefined) throw new Error(message);
    };
  };
  const pairs = [
    ['boom', undefined],
    [undefined, 'boom'],
    ['boom', 'bang'],
  ] as const;
  for (const [recorded, replayed] of pairs) {
    const { buffer } = record(failing(recorded));
    const { report } = divergenceOf(() => replaying([Toy], buffer, failing(replayed)));
    t.like(report, { kind: 'different-failure', turn: 0, call: 0 });
  }
  t.is(
    (replaying([Toy], record(failing('boom')).buffer, failing('boom')).end.failure as Error)
      .message,
    'boom',
  );
});

test('a scripted program over simulated memory replays without it', (t) => {
  const program = (seen: unknown[]): TestProgram => {
    return ({ get }) => {
      const mmap = get(Mmap);
      const region = mmap.createRegion({ name: 'ram', size: 1 << 20 });
      const into = new Uint32Array(256);
      mmap.writeU32Array({ region, offset: 64, data: into.map((_, i) => i * 3) });
      mmap.readU32Array({ region, offset: 64, into });
      seen.push(into.slice());
      mmap.storeReleaseU16({ region, offset: 2, value: 500 });
      seen.push(
        mmap.loadAcquireU16({ region, offset: 2 }),
        mmap.orU32({ region, offset: 4, mask: 6 }),
      );
      mmap.discard({ region, ranges: new Float64Array([0, 4096, 8192, 8192]) });
      seen.push(mmap.residency({ region }), mmap.describe({ region }));
      const error = t.throws(() => mmap.read({ region, offset: 1 << 20, into: new Uint8Array(1) }));
      seen.push(error?.message);
    };
  };
  const recorded: unknown[] = [];
  const replayed: unknown[] = [];
  const run = recording([Mmap], [simulatedMemory()]);
  run.start(program(recorded));
  const { again } = replaying([Mmap], run.buffer, program(replayed));
  t.deepEqual(replayed, recorded);
  t.deepEqual(turnsOf(again), turnsOf(run.buffer));
});

test('random calls of all contracts: what was recorded matches and is served', (t) => {
  const schema = new TurnSchema([...CONTRACTS, Toy]);
  fc.assert(
    fc.property(randomTurns(schema), (turn) => {
      const data = encodeTurn(schema, turn);
      const decoded = decodeTurn(schema, data);
      const matcher = new ExactMatcher(schema, 'main');
      matcher.beginTurn(data, 0, data.length);
      t.is(matcher.cursor.number, turn.number);
      t.deepEqual(matcher.cursor.event, decoded.event);
      for (const { spec, args, results, error } of turn.calls) {
        const given = { ...args };
        for (const { name } of spec.outs) {
          const filled = args[name] as Uint8Array;
          given[name] = new (filled.constructor as typeof Uint8Array)(filled.length);
        }
        const call = () => matcher.method(spec)(given);
        if (error !== undefined) {
          t.like(t.throws(call), { message: error.message, code: error.code, errno: error.errno });
          continue;
        }
        const expected = spec.returnsOne ? results['result'] : results;
        t.deepEqual(call(), spec.results.length === 0 ? undefined : expected);
        t.deepEqual(given, args);
      }
      matcher.endTurn(turn.failure);
      t.is(matcher.cursor.matched, turn.calls.length);
    }),
    { numRuns: 150 },
  );
});

test('the bytes of a damaged turn are refused with a typed error, never taken for something else', (t) => {
  const buffer = baseRecording();
  const good = buffer.turnBytes(0);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = good.slice();
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      const source = new TurnBuffer();
      source.turn(0, 0, damaged, damaged.length);
      try {
        replaying([Toy], source, base());
      } catch (error) {
        t.true(['DivergenceError', 'WireError'].includes((error as Error).name), String(error));
      }
    }),
    { numRuns: 200 },
  );
});
