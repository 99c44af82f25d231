import test from 'ava';
import type { BalloonSnapshot } from '../../../src/devices/balloon/snapshot.js';
import { bootAsLinux, isZero, LIST, LOW_END, makeMachine, PAGE, touch } from '../harness.js';

const FRAME = 0x200;
/** Linux negotiates statistics too: hinting is its queue 3. */
const QUEUE = 3;
const STOP = 0;
const DONE = 1;

function setup(features = {}, poison = 0) {
  const machine = makeMachine({ features: { freePageHinting: true, ...features } });
  bootAsLinux(machine, 0xffffffff, poison);
  const postCommand = (command: number, length = 4) => {
    const address = LIST + (machine.hinting.availIndex % 64) * 8;
    machine.guest.writeU32Array(address, Uint32Array.of(command));
    return machine.hinting.post({ address, length });
  };
  const postPages = (frame: number, count = 1) =>
    machine.hinting.post({ address: frame * PAGE, length: count * PAGE, writable: true });
  const kick = () => machine.driver.kick(QUEUE);
  const command = () => machine.driver.read32(0x108);
  const filled = (...frames: number[]) => {
    for (const frame of frames) touch(machine, frame);
  };
  return { ...machine, machine, postCommand, postPages, kick, command, filled };
}

test('D7, K11: a round from the command id over hints and STOP to DONE', (t) => {
  const { machine, device, postCommand, postPages, kick, command, filled } = setup();
  filled(FRAME, FRAME + 1, FRAME + 1023);
  t.is(device.hintingState, 'idle');
  t.is(command(), STOP);
  const id = device.startHinting();
  t.is(id, 2);
  t.is(command(), 2);
  t.is(machine.statusWord(), 2, 'D10: a configuration interrupt');
  t.is(device.hintingState, 'asked');
  postCommand(2);
  kick();
  t.is(device.hintingState, 'started', 'K11: the ids are the same, and nothing is done yet');
  t.is(command(), 2);
  postPages(FRAME, 1024);
  kick();
  t.true(isZero(machine, FRAME));
  t.true(isZero(machine, FRAME + 1023));
  t.is(device.hintingState, 'started');
  postCommand(STOP);
  kick();
  t.is(device.hintingState, 'done');
  t.is(command(), DONE, 'the guest has its pages back');
  t.deepEqual(machine.hintings, ['2 started', '2 complete']);
  t.is(device.metrics.hintedPages, 1024);
  t.deepEqual(
    machine.hinting.takeUsed().map(({ length }) => length),
    [0, 0, 0],
  );
});

test('D7: within one drain, pages are discarded before used.idx moves and DONE comes last', (t) => {
  const { machine, device, postCommand, postPages, kick } = setup();
  device.startHinting();
  postCommand(2);
  postPages(FRAME + 4, 4);
  postPages(FRAME, 4);
  postCommand(STOP);
  postPages(FRAME + 20);
  const generation = machine.driver.read32(0xfc);
  const order: string[] = [];
  const configChanged = machine.transport.configChanged.bind(machine.transport);
  machine.transport.configChanged = (offset, bytes) => {
    order.push(`${machine.calls.map(({ name }) => name).join()}`);
    configChanged(offset, bytes);
  };
  machine.calls.length = 0;
  kick();
  t.is(order.length, 1);
  t.regex(order[0] ?? '', /discard,writeU32Array,storeReleaseU16/);
  t.deepEqual(
    machine.calls.filter(({ name }) => name === 'discard').map(({ args }) => [...args.ranges]),
    [[FRAME * PAGE, 8 * PAGE]],
    'B4: joined; the page after STOP is not among them',
  );
  t.not(machine.driver.read32(0xfc), generation);
  t.is(device.metrics.hintsIgnored, 1);
});

test('R16, D7: pages before the id, with a stale id, and after STOP or DONE are ignored', (t) => {
  const { machine, device, postCommand, postPages, kick, filled } = setup();
  const kept = [FRAME, FRAME + 1, FRAME + 2, FRAME + 3, FRAME + 4];
  filled(...kept);
  postPages(FRAME);
  kick();
  device.startHinting();
  postPages(FRAME + 1);
  postCommand(77);
  postPages(FRAME + 2);
  kick();
  t.is(device.hintingState, 'asked');
  postCommand(STOP);
  kick();
  t.is(device.hintingState, 'asked', 'STOP of another round ends nothing');
  postCommand(2);
  kick();
  device.stopHinting();
  postPages(FRAME + 3);
  kick();
  device.startHinting();
  postPages(FRAME + 4);
  kick();
  for (const frame of kept) t.false(isZero(machine, frame), `${frame - FRAME}`);
  t.is(device.metrics.hintsIgnored, 5);
  t.is(machine.hinting.takeUsed().length, 8, 'B1: all are acknowledged');
});

test('S7, R16: an id is 4 bytes, readable, in RAM; a writable buffer of 4 bytes is a range', (t) => {
  const { machine, device, postCommand, postPages, kick, filled } = setup();
  filled(FRAME);
  device.startHinting();
  postCommand(2, 3);
  postCommand(2, 8);
  machine.hinting.post({ address: LOW_END, length: 4 });
  kick();
  t.is(device.hintingState, 'asked');
  t.is(machine.faults.of('hint-command-length'), 2);
  t.is(machine.faults.of('buffer-outside-ram'), 1);
  postCommand(2);
  machine.hinting.post({ address: FRAME * PAGE, length: 4, writable: true });
  kick();
  t.false(isZero(machine, FRAME));
  t.is(machine.faults.of('range-unaligned'), 1);
  machine.hinting.post({ address: LOW_END - PAGE, length: 2 * PAGE, writable: true });
  postPages(FRAME);
  kick();
  t.true(isZero(machine, FRAME), 'the round goes on');
  t.is(machine.faults.of('range-outside-ram'), 1);
});

test('stopHinting ends a round with DONE, and a round runs once at a time', (t) => {
  const { machine, device, command } = setup();
  t.false(device.stopHinting());
  t.is(device.startHinting(), 2);
  t.is(device.startHinting(), 'running');
  t.true(device.stopHinting());
  t.is(command(), DONE);
  t.is(device.hintingState, 'done');
  t.is(device.startHinting(), 3, 'D7: no id twice');
  t.deepEqual(machine.hintings, ['2 stopped']);
});

test('D7: when all ids are used up, the first comes again only after STOP', (t) => {
  const { machine, device, postCommand, kick, command } = setup();
  const last: BalloonSnapshot = {
    ...device.snapshot(),
    hinting: { command: DONE, lastCommand: 0xffff_fffe, isStopSeen: true },
  };
  device.restore(last);
  t.is(device.startHinting(), 0xffff_ffff);
  t.is(command(), 0xffff_ffff);
  device.stopHinting();
  t.is(device.startHinting(), 'stop-missing');
  postCommand(STOP);
  kick();
  t.is(device.startHinting(), 2);
  t.is(machine.device.metrics.hintRounds, 2);
});

test('without the feature, offered or negotiated, and before DRIVER_OK there is nothing to start', (t) => {
  t.is(makeMachine().device.startHinting(), 'not-ready');
  const machine = makeMachine({ features: { freePageHinting: true } });
  t.is(machine.device.startHinting(), 'not-ready');
  bootAsLinux(machine, 0xffffffff & ~8);
  t.is(machine.device.startHinting(), 'not-ready');
  t.is(machine.driver.read32(0x108), STOP);
});

test('B6: the command id is read-only for the driver', (t) => {
  const { machine, device, command } = setup({ freePageReporting: true });
  device.startHinting();
  machine.driver.write32(0x108, 9);
  t.is(command(), 2);
  device.configWritten(8, new Uint8Array(4));
  t.is(machine.faults.of('config-access'), 2);
});

test('with a poison value, hinted pages keep it: one that the driver took back early has it already', (t) => {
  const { machine, device, postCommand, postPages, kick, filled } = setup(
    { pagePoison: true },
    0xaaaaaaaa,
  );
  filled(FRAME);
  device.startHinting();
  postCommand(2);
  postPages(FRAME, 2);
  postCommand(STOP);
  kick();
  t.false(isZero(machine, FRAME));
  t.is(device.metrics.poisonedPagesKept, 2);
  t.is(device.hintingState, 'done');
});

test('B11: a reset drops the round; the next driver finds STOP, without an interrupt, and no old id', (t) => {
  const { machine, device, postCommand, kick, command } = setup();
  device.startHinting();
  postCommand(2);
  kick();
  machine.interrupts();
  machine.driver.writeStatus(0);
  t.is(machine.interrupts(), 0);
  t.is(command(), STOP);
  t.is(device.hintingState, 'idle');
  t.deepEqual(machine.hintings, ['2 started', '2 reset']);
  for (const queue of [machine.inflate, machine.deflate, machine.stats, machine.hinting]) {
    queue.restart();
  }
  bootAsLinux(machine);
  t.is(device.hintingState, 'idle');
  t.is(device.startHinting(), 3);
});

test('B11: a reset clears the command in the registers too, while the device is being started again', (t) => {
  const { machine, device, command } = setup();
  device.startHinting();
  machine.transport.disconnect();
  machine.driver.writeStatus(0);
  t.is(command(), STOP);
});

test('B12: a restored balloon has the command forced to DONE and leaves late hints alone', (t) => {
  const { machine, device, postCommand, postPages, kick, command, filled } = setup();
  filled(FRAME, FRAME + 1);
  device.startHinting();
  postCommand(2);
  kick();
  const snapshot = structuredClone(device.snapshot());
  t.is(snapshot.hinting.command, 2);
  postPages(FRAME);
  const restored = machine.newDevice();
  machine.transport.disconnect();
  restored.restore(snapshot);
  machine.transport.connect(restored, 'active');
  t.is(command(), DONE);
  t.is(restored.hintingState, 'done');
  t.false(isZero(machine, FRAME));
  t.is(restored.metrics.hintsIgnored, 1, 'what was posted meanwhile is served, and left alone');
  t.is(restored.startHinting(), 3);
  const held = { ...snapshot, hinting: { command: 5, lastCommand: 4, isStopSeen: true } };
  t.throws(() => restored.restore(held), { code: 'CORRUPT' });
  const poisoned = { ...snapshot, poisonValue: -1 };
  t.throws(() => restored.restore(poisoned), { code: 'CORRUPT' });
});

test('B12: the poison value is part of a snapshot', (t) => {
  const machine = makeMachine({ features: { freePageReporting: true } });
  bootAsLinux(machine, 0xffffffff, 0xaaaaaaaa);
  const restored = machine.newDevice();
  restored.restore(structuredClone(machine.device.snapshot()));
  machine.transport.disconnect();
  machine.transport.connect(restored, 'active');
  touch(machine, FRAME);
  machine.reporting.post({ address: FRAME * PAGE, length: PAGE, writable: true });
  machine.driver.kick(3);
  t.false(isZero(machine, FRAME));
});

test('a device that was started again ends the round of its predecessor', (t) => {
  const { machine, device, postCommand, postPages, kick, command, filled } = setup();
  filled(FRAME);
  device.startHinting();
  postCommand(2);
  kick();
  machine.transport.disconnect();
  postPages(FRAME);
  const second = machine.newDevice();
  machine.transport.connect(second);
  t.is(command(), DONE);
  t.false(isZero(machine, FRAME), 'which round it was for is not known any more');
  t.is(machine.hinting.takeUsed().length, 2);
  t.is(second.startHinting(), 3);
});
