import test from 'ava';
import { boot, frameList, isZero, makeMachine, touch } from '../harness.js';

const HOST_PAGE = 16_384;
const FRAME = 0x200;

function setup() {
  const machine = makeMachine({ pageSize: HOST_PAGE });
  boot(machine);
  for (let frame = FRAME; frame < FRAME + 8; frame++) touch(machine, frame);
  const inflate = (...frames: number[]) => {
    machine.inflate.post(frameList(machine, frames));
    machine.driver.kick(0);
  };
  const deflate = (...frames: number[]) => {
    machine.deflate.post(frameList(machine, frames));
    machine.driver.kick(1);
  };
  return { machine, inflate, deflate };
}

test('R11: a host page goes back when the guest has given up all of it, and no earlier', (t) => {
  const { machine, inflate } = setup();
  inflate(FRAME, FRAME + 1, FRAME + 2, FRAME + 4);
  t.is(machine.device.metrics.discardCalls, 0);
  t.false(isZero(machine, FRAME));
  inflate(FRAME + 3);
  for (let frame = FRAME; frame < FRAME + 4; frame++) t.true(isZero(machine, frame));
  t.false(isZero(machine, FRAME + 4));
  inflate(FRAME + 5, FRAME + 6, FRAME + 7);
  t.true(isZero(machine, FRAME + 4));
  t.is(machine.device.metrics.discardCalls, 2);
  t.is(machine.device.metrics.inflatedPages, 8);
});

test('R11: a frame that came back keeps its host page', (t) => {
  const { machine, inflate, deflate } = setup();
  inflate(FRAME, FRAME + 1, FRAME + 2);
  deflate(FRAME + 1, 0xffffffff);
  inflate(FRAME + 3);
  t.is(machine.device.metrics.discardCalls, 0);
  inflate(FRAME + 1);
  t.is(machine.device.metrics.discardCalls, 1);
});

test('R11: a reset forgets what the last driver had given up', (t) => {
  const { machine, inflate } = setup();
  inflate(FRAME, FRAME + 1, FRAME + 2);
  machine.driver.writeStatus(0);
  machine.inflate.restart();
  machine.deflate.restart();
  boot(machine);
  inflate(FRAME + 3);
  t.is(machine.device.metrics.discardCalls, 0);
  t.false(isZero(machine, FRAME));
});

test('R11: neighbouring host pages are one range', (t) => {
  const { machine, inflate } = setup();
  inflate(...Array.from({ length: 8 }, (_, index) => FRAME + index));
  const discard = machine.calls.find((call) => call.name === 'discard');
  t.deepEqual([...(discard?.args.ranges ?? [])], [FRAME * 4096, 2 * HOST_PAGE]);
});
