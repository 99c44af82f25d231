import test from 'ava';
import { Mmap } from '../../../src/hal/mmap.js';
import { Script } from '../../../src/hal/scripted/script.js';
import { Toy } from '../contract/toy.js';
import { recording, type TestProgram } from '../harness.js';

function run(script: Script, program: TestProgram) {
  const session = recording([Toy, Mmap], [script.implementation(Toy), script.implementation(Mmap)]);
  session.start(program);
  return session;
}

test('expected calls, across contracts, get what was scripted', (t) => {
  const script = new Script();
  script.expect(Toy, 'plain', { a: 1, b: 2 }).returns(20);
  script.expect(Mmap, 'residency', { region: 3 }).throws('SYSCALL_FAILED', 9, 'fstat');
  const into = new Uint8Array(2);
  script
    .expect(Toy, 'fill', { at: 0, into, frames: new Uint32Array(1) })
    .fills({ into: Uint8Array.of(5, 6) })
    .returns(true);
  script.expect(Toy, 'nothing');
  const { ends } = run(script, ({ get }) => {
    const toy = get(Toy);
    t.is(toy.plain({ a: 1, b: 2 }), 20);
    t.throws(() => get(Mmap).residency({ region: 3 }), { code: 'SYSCALL_FAILED' });
    t.true(toy.fill({ at: 0, into, frames: new Uint32Array(1) }));
    t.deepEqual(into, Uint8Array.of(5, 6));
    toy.nothing();
  });
  t.deepEqual(ends, []);
  script.done();
});

test('an unexpected call says where, what and how it differs, also to a program that lives through it', (t) => {
  const script = new Script();
  script.expect(Toy, 'nothing');
  script.expect(Toy, 'plain', { a: 1, b: 2 }).returns(20);
  run(script, ({ get }) => {
    get(Toy).nothing();
    t.throws(() => get(Toy).plain({ a: 1, b: 3 }), { code: 'UNEXPECTED_CALL' });
    t.throws(
      () => get(Toy).plain({ a: 1, b: 2 }),
      { code: 'UNEXPECTED_CALL' },
      'nothing is right any more',
    );
  });
  const error = t.throws(() => script.done(), { code: 'UNEXPECTED_CALL' });
  t.is(
    error?.message,
    [
      'step 1 of the script: toy.plain was called unexpectedly',
      '  - expected  toy.plain(a: 1, b: 2)',
      '  + actual    toy.plain(a: 1, b: 3)',
      '      b: expected 2, got 3',
    ].join('\n'),
  );
});

test('another call, and a call too many', (t) => {
  const other = new Script();
  other.expect(Mmap, 'closeRegion', { region: 1 });
  run(other, ({ get }) => {
    t.throws(() => get(Toy).nothing(), { message: /expected {2}mmap.closeRegion\(region: 1\)/ });
  });
  const none = new Script();
  run(none, ({ get }) => {
    t.throws(() => get(Toy).nothing(), { message: /- expected {2}nothing more/ });
  });
});

test('what is left over is listed', (t) => {
  const script = new Script();
  script.expect(Toy, 'nothing');
  script.expect(Toy, 'answer', { id: 7, value: 1 });
  script.event(Toy, 'bare', {});
  run(script, ({ get }) => get(Toy).nothing());
  const error = t.throws(() => script.done(), { code: 'LEFTOVER_EXPECTATIONS' });
  t.is(
    error?.message,
    'the script is over, and 2 of 3 steps did not happen:\n' +
      '  1  toy.answer(id: 7, value: 1)\n  2  the event toy.bare()',
  );
});

const asking: TestProgram = ({ get, reactor }) => {
  get(Toy).nothing();
  reactor.on(Toy, 'question', undefined, ({ id, topic }) => {
    if (topic !== 'silence') get(Toy).answer({ id, value: get(Toy).plain({ a: id, b: 0 }) });
  });
};

test('a script with events is played as turns', (t) => {
  const script = new Script();
  script.expect(Toy, 'nothing');
  script.event(Toy, 'question', { id: 4, topic: undefined });
  script.expect(Toy, 'plain', { a: 4, b: 0 }).returns(44);
  script.expect(Toy, 'answer', { id: 4, value: 44 });
  script.event(Toy, 'question', { id: 5, topic: 'silence' });
  const session = run(script, asking);
  script.play(session.reactor);
  script.done();
  t.is(session.buffer.turnCount, 3);
  t.deepEqual(
    session.reactor.end().unanswered.map(({ key }) => key),
    [5],
  );
});

test('a call that its turn did not make is reported before the next event comes', (t) => {
  const script = new Script();
  script.expect(Toy, 'nothing');
  script.event(Toy, 'question', { id: 4, topic: 'silence' });
  script.expect(Toy, 'plain', { a: 4, b: 0 }).returns(44);
  script.event(Toy, 'bare', {});
  const session = run(script, asking);
  t.throws(() => script.play(session.reactor), {
    code: 'LEFTOVER_EXPECTATIONS',
    message: /the turn has ended, and 2 of 4 steps[\s\S]*2 {2}toy.plain\(a: 4, b: 0\)/,
  });
  t.is(session.buffer.turnCount, 2);
});

test('a call in an event’s place says which event is due', (t) => {
  const script = new Script();
  script.event(Toy, 'bare', {});
  const session = run(script, asking);
  t.regex(String(session.ends[0]?.failure), /expected {2}the event toy.bare\(\)/);
  t.throws(() => script.play(session.reactor), { code: 'UNEXPECTED_CALL' });
});

test('expectations that the declaration forbids are refused where they are written', (t) => {
  const script = new Script();
  t.throws(() => script.expect(Toy, 'plain', { a: 256, b: 2 }), {
    message: /cannot expect toy.plain: a must/,
  });
  const plain = script.expect(Toy, 'plain', { a: 1, b: 2 });
  t.throws(() => plain.returns(-1), { message: /toy.plain cannot return this: result must/ });
  const fill = script.expect(Toy, 'fill', {
    at: 0,
    into: new Uint8Array(2),
    frames: new Uint32Array(1),
  });
  t.throws(() => fill.fills({ into: new Uint8Array(3) }), {
    message: /expected with 2 elements, and filled with 3/,
  });
  t.throws(() => fill.fills({ at: 1 }), { message: /toy.fill fills no "at"/ });
});

test('an expectation without its result says so', (t) => {
  const script = new Script();
  script.expect(Toy, 'plain', { a: 1, b: 2 });
  run(script, ({ get }) => {
    t.throws(() => get(Toy).plain({ a: 1, b: 2 }), {
      message: /toy.plain, lacks its result. Add .returns/,
    });
  });
});

// Checked by the compiler: a line below an @ts-expect-error that compiles fails the build.
function mustNotCompile(script: Script): void {
  // @ts-expect-error no such call
  script.expect(Toy, 'boil', {});
  // @ts-expect-error an argument is missing
  script.expect(Toy, 'plain', { a: 1 });
  // @ts-expect-error a number is returned
  script.expect(Toy, 'plain', { a: 1, b: 2 }).returns('20');
  // @ts-expect-error no such event
  script.event(Toy, 'plain', { a: 1, b: 2 });
  // @ts-expect-error a field of the payload has another type
  script.event(Toy, 'question', { id: 'one', topic: undefined });
}

test('the contract types expectations and events', (t) => {
  t.is(mustNotCompile.length, 1);
});
