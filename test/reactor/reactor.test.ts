import test from 'ava';
import { HalError } from '../../src/hal/contract/errors.js';
import { implement } from '../../src/hal/contract/implementation.js';
import { decodeTurn } from '../../src/hal/replay/turn-decoder.js';
import { Toy } from '../hal/contract/toy.js';
import { divergenceOf, recording, replaying, type TestProgram, turnsOf } from '../hal/harness.js';

function toySide(log: string[]) {
  return implement(Toy, () => ({
    plain: ({ a }) => {
      log.push(`plain ${a}`);
      return a;
    },
    nothing: () => {},
    several: () => ({ low: 0, high: 0n, level: 'on' }),
    fill: () => true,
    maybe: () => ({ count: undefined, reply: undefined }),
    find: () => undefined,
    lists: () => [],
    answer: ({ id, value }) => {
      log.push(`answer ${id} ${value}`);
      if (value === 99) throw new HalError('SYSCALL_FAILED', 'the line is dead', { errno: 5 });
    },
  }));
}

function run(program: TestProgram) {
  const log: string[] = [];
  const session = recording([Toy], [toySide(log)]);
  const decoded = (turn: number) => decodeTurn(session.schema, session.buffer.turnBytes(turn));
  return {
    ...session,
    log,
    program,
    decoded,
    begin: () => session.start(program),
    toy: session.emit(Toy),
  };
}

type Run = ReturnType<typeof run>;

/** Replays the recording of a run and compares every byte and the way it ended. */
function replayed({ buffer, program }: Run) {
  const { end, again } = replaying([Toy], buffer, program);
  return { end, same: JSON.stringify(turnsOf(again)) === JSON.stringify(turnsOf(buffer)) };
}

test('events that arrive during a turn wait for its end', (t) => {
  const order: string[] = [];
  const session = run(({ reactor }) => {
    reactor.on(Toy, 'reading', undefined, ({ sensor }) => {
      order.push(`start ${sensor}`);
      if (sensor < 3) session.toy.reading({ sensor: sensor + 1, celsius: 0 });
      order.push(`end ${sensor}`);
    });
    session.toy.reading({ sensor: 1, celsius: 0 });
    order.push('set up');
  });
  session.begin();
  t.deepEqual(order, ['set up', 'start 1', 'end 1', 'start 2', 'end 2', 'start 3', 'end 3']);
  t.deepEqual(
    [0, 1, 2, 3].map((n) => session.decoded(n).number),
    [0, 1, 2, 3],
  );
});

test('an event that comes before start-up is delivered after it', (t) => {
  const seen: number[] = [];
  const session = run(({ reactor }) => {
    seen.push(reactor.nowNs);
    reactor.on(Toy, 'bare', undefined, () => seen.push(reactor.nowNs));
  });
  session.toy.bare({});
  session.begin();
  t.deepEqual(seen, [1000, 2000]);
  t.is(session.decoded(0).event, undefined);
});

test('handlers with a key get the events of that key only; subscriptions end one by one', (t) => {
  const seen: string[] = [];
  let end = () => {};
  const session = run(({ reactor }) => {
    const note = ({ sensor }: { sensor: number }) => seen.push(`keyed ${sensor}`);
    end = reactor.on(Toy, 'reading', 1, note);
    reactor.on(Toy, 'reading', 1, note);
    reactor.on(Toy, 'reading', 2, () => seen.push('two'));
    reactor.on(Toy, 'reading', undefined, ({ sensor }) => seen.push(`any ${sensor}`));
  });
  session.begin();
  session.toy.reading({ sensor: 1, celsius: 0 });
  session.toy.reading({ sensor: 3, celsius: 0 });
  t.deepEqual(seen.splice(0), ['keyed 1', 'keyed 1', 'any 1', 'any 3']);
  end();
  end();
  session.toy.reading({ sensor: 1, celsius: 0 });
  t.deepEqual(seen.splice(0), ['keyed 1', 'any 1'], 'the second subscription goes on');
  session.toy.reading({ sensor: 2, celsius: 0 });
  t.deepEqual(seen, ['two', 'any 2']);
});

test('a handler subscribed while an event is delivered gets the next one', (t) => {
  let count = 0;
  const session = run(({ reactor }) => {
    reactor.on(Toy, 'bare', undefined, () => {
      reactor.on(Toy, 'bare', undefined, () => count++);
    });
  });
  session.begin();
  session.toy.bare({});
  t.is(count, 0);
  session.toy.bare({});
  t.is(count, 1);
});

test('an event that nobody wants is a turn all the same', (t) => {
  const session = run(() => {});
  session.begin();
  session.toy.reading({ sensor: 9, celsius: 1 });
  t.is(session.decoded(1).event?.spec.name, 'reading');
  t.true(replayed(session).same);
});

test('a payload that does not fit the declaration is refused where it comes from', (t) => {
  const session = run(() => {});
  session.begin();
  t.throws(() => session.toy.reading({ sensor: 300, celsius: 1 }), {
    message: /toy.reading: sensor must/,
  });
  t.is(session.buffer.turnCount, 1);
});

for (const where of ['a handler', 'start-up']) {
  test(`${where} that returns a promise is refused, and what the promise meets ends nothing else`, async (t) => {
    let met: unknown;
    const late: TestProgram = async ({ get }) => {
      await undefined;
      try {
        get(Toy).nothing();
      } catch (error) {
        met = error;
        throw error;
      }
    };
    const session = run((hal) => {
      if (where === 'start-up') return late(hal);
      hal.reactor.on(Toy, 'bare', undefined, () => late(hal));
    });
    session.begin();
    if (where !== 'start-up') session.toy.bare({});
    t.like(session.ends[0]?.failure, { code: 'ASYNC_HANDLER' });
    await new Promise((resolve) => setImmediate(resolve));
    t.like(met, { code: 'OUTSIDE_TURN' });
  });
}

test('a call outside a turn is refused with what to do', (t) => {
  const session = run(() => {});
  t.throws(() => session.hal.get(Toy).nothing(), { code: 'OUTSIDE_TURN' });
  session.begin();
  t.throws(() => session.hal.get(Toy).plain({ a: 1, b: 1 }), {
    code: 'OUTSIDE_TURN',
    message: /toy.plain was called outside a turn. Call the HAL only from a handler/,
  });
  t.is(session.decoded(0).calls.length, 0);
});

test('an invalid argument is refused before the implementation and the trace see it', (t) => {
  const session = run(({ get }) => {
    t.throws(() => get(Toy).plain({ a: 256, b: 0 }), {
      code: 'INVALID_ARGUMENT',
      message: /toy.plain: a must/,
    });
  });
  session.begin();
  t.deepEqual(session.log, []);
  t.true(replayed(session).same);
});

const answering =
  (answers: readonly [turn: number, id: number][]): TestProgram =>
  ({ get, reactor }) => {
    let turn = 0;
    const give = () => {
      turn++;
      for (const [when, id] of answers) if (when === turn) get(Toy).answer({ id, value: 1 });
    };
    reactor.on(Toy, 'question', undefined, give);
    reactor.on(Toy, 'bare', undefined, give);
  };

test('an answer may come in a later turn', (t) => {
  const session = run(
    answering([
      [1, 5],
      [3, 6],
    ]),
  );
  session.begin();
  session.toy.question({ id: 5, topic: 'a' });
  session.toy.question({ id: 6, topic: undefined });
  t.deepEqual(
    session.reactor.end().unanswered.map(({ key }) => key),
    [6],
  );
  session.toy.bare({});
  t.deepEqual(session.log, ['answer 5 1', 'answer 6 1']);
  t.deepEqual(session.reactor.end().unanswered, []);
  const { same, end } = replayed(session);
  t.true(same);
  t.deepEqual(end.unanswered, []);
});

test('a second answer is refused, and so is one that nobody asked for', (t) => {
  for (const answers of [
    [
      [1, 5],
      [1, 5],
    ],
    [
      [1, 5],
      [2, 5],
    ],
    [[1, 4]],
  ] as [number, number][][]) {
    const session = run(answering(answers));
    session.begin();
    session.toy.question({ id: 5, topic: 'a' });
    session.toy.bare({});
    const { failure } = session.ends[0] ?? session.reactor.end();
    t.like(failure, { code: 'NOT_WAITING' });
    t.regex(String(failure), /toy.answer: id \d has no unanswered "question"/);
    t.true(replayed(session).same);
  }
});

test('an answer that failed may be given again', (t) => {
  const session = run(({ get, reactor }) => {
    reactor.on(Toy, 'question', undefined, ({ id }) => {
      t.throws(() => get(Toy).answer({ id, value: 99 }), { code: 'SYSCALL_FAILED' });
      get(Toy).answer({ id, value: 2 });
    });
  });
  session.begin();
  session.toy.question({ id: 1, topic: undefined });
  t.deepEqual(session.log, ['answer 1 99', 'answer 1 2']);
  t.true(replayed(session).same);
});

test('what was never answered is reported at the end', (t) => {
  const session = run(({ reactor }) => {
    reactor.on(Toy, 'bare', undefined, () => reactor.stop());
  });
  session.begin();
  session.toy.question({ id: 8, topic: 'why' });
  session.toy.bare({});
  session.toy.bare({});
  t.is(session.ends.length, 1);
  t.like(session.ends[0], {
    turns: 3,
    failure: undefined,
    unanswered: [{ contract: 'toy', event: 'question', key: 8, turn: 1 }],
  });
  t.is(session.reactor.end().dropped, 1);
  t.is(replayed(session).end.unanswered.length, 1);
});

test('a handler that throws: its question gets the failure answer, the run ends, and all of it replays', (t) => {
  const session = run(({ get, reactor }) => {
    reactor.on(Toy, 'question', undefined, ({ id }) => {
      get(Toy).plain({ a: id, b: 0 });
      if (id === 2) throw new RangeError('the handler broke down');
    });
  });
  session.begin();
  session.toy.question({ id: 1, topic: undefined });
  session.toy.question({ id: 2, topic: undefined });
  session.toy.question({ id: 3, topic: undefined });
  t.deepEqual(session.log, ['plain 1', 'plain 2', 'answer 2 255']);
  const [end] = session.ends;
  t.true(end?.failure instanceof RangeError);
  t.is(end?.turns, 3);
  t.deepEqual(
    end?.unanswered.map(({ key }) => key),
    [1],
    'of an earlier turn: still unanswered',
  );
  t.is(session.reactor.end().dropped, 1);
  const last = session.decoded(2);
  t.is(last.failure?.message, 'RangeError: the handler broke down');
  t.deepEqual(
    last.calls.map(({ spec }) => spec.name),
    ['plain', 'answer'],
  );
  const again = replayed(session);
  t.true(again.same);
  t.regex(String(again.end.failure), /broke down/);
});

test('a failure answer that fails itself does not hide the handler’s error', (t) => {
  const session = run(({ get, reactor }) => {
    reactor.on(Toy, 'question', undefined, ({ id }) => {
      t.throws(() => get(Toy).answer({ id, value: 99 }));
      throw new Error('first');
    });
  });
  session.begin();
  session.toy.question({ id: 1, topic: undefined });
  t.is((session.ends[0]?.failure as Error | undefined)?.message, 'first');
});

test('a divergence in a handler is what the replay throws, failure answers or not', (t) => {
  const asking =
    (a: number): TestProgram =>
    ({ get, reactor }) => {
      reactor.on(Toy, 'question', undefined, ({ id }) => {
        get(Toy).plain({ a, b: 0 });
        get(Toy).answer({ id, value: 1 });
      });
    };
  const session = run(asking(1));
  session.begin();
  session.toy.question({ id: 2, topic: undefined });
  const { report } = divergenceOf(() => replaying([Toy], session.buffer, asking(2)));
  t.like(report, { kind: 'different-argument', turn: 1, call: 0 });
});

test('a run that is halted between turns ends at once, and the trace has no turn for it', (t) => {
  const session = run(() => {});
  session.begin();
  session.reactor.halt();
  t.is(session.ends.length, 1);
  t.is(session.buffer.turnCount, 1);
});

test('a sink that breaks down in the middle of a queue does not make events come twice', (t) => {
  const seen: number[] = [];
  const session = run(({ reactor }) => {
    reactor.on(Toy, 'reading', undefined, ({ sensor }) => {
      seen.push(sensor);
      if (sensor > 1) return;
      for (const next of [2, 3]) session.toy.reading({ sensor: next, celsius: 0 });
    });
  });
  session.begin();
  const { turn } = session.buffer;
  session.buffer.turn = () => {
    session.buffer.turn = turn;
    throw new Error('disk full');
  };
  t.throws(() => session.toy.reading({ sensor: 1, celsius: 0 }), { message: 'disk full' });
  session.toy.reading({ sensor: 4, celsius: 0 });
  t.deepEqual(seen, [1, 2, 3, 4]);
});
