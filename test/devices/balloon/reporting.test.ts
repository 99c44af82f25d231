import test from 'ava';
import {
  bootAsLinux,
  HIGH,
  isZero,
  LOW_END,
  type Machine,
  MIB,
  makeMachine,
  PAGE,
  touch,
} from '../harness.js';

const FRAME = 0x200;
const REPORTING = { freePageReporting: true };
/** Linux negotiates statistics too: reporting is its queue 3. */
const QUEUE = 3;

function setup(options: { pageSize?: number; poison?: number } = {}) {
  const { poison = 0, ...rest } = options;
  const machine = makeMachine({ ...rest, features: REPORTING });
  bootAsLinux(machine, 0xffffffff, poison);
  machine.calls.length = 0;
  return machine;
}

function report(machine: Machine, ...ranges: readonly (readonly [number, number])[]): number {
  const buffers = ranges.map(([address, length]) => ({ address, length, writable: true }));
  const head = machine.reporting.post(...buffers);
  machine.driver.kick(QUEUE);
  return head;
}

function discards(machine: Machine): number[][] {
  return machine.calls
    .filter((call) => call.name === 'discard')
    .map((call) => [...(call.args.ranges as Float64Array)]);
}

test('K5, A14: a reported buffer is the range itself, read by nobody, and reads as zero', (t) => {
  const machine = setup();
  for (const frame of [FRAME - 1, FRAME, FRAME + 511, FRAME + 512]) touch(machine, frame);
  const head = report(machine, [FRAME * PAGE, 2 * MIB]);
  t.true(isZero(machine, FRAME));
  t.true(isZero(machine, FRAME + 511));
  t.false(isZero(machine, FRAME - 1));
  t.false(isZero(machine, FRAME + 512));
  t.deepEqual(machine.reporting.takeUsed(), [{ id: head, length: 0 }], 'D9');
  t.is(machine.interrupts(), 1);
  t.is(machine.device.metrics.reportedPages, 512);
  t.false(machine.calls.some(({ name }) => name === 'readU32Array'));
});

test('D8, B15: the discard is finished before used.idx moves, in one call for a whole 4 MiB', (t) => {
  const machine = setup();
  report(machine, [4 * MIB, 4 * MIB]);
  const names = machine.calls.map((call) => call.name);
  t.deepEqual(names.slice(-4), ['discard', 'writeU32Array', 'storeReleaseU16', 'loadAcquireU16']);
  t.deepEqual(discards(machine), [[4 * MIB, 4 * MIB]]);
});

test('B4: the ranges of one drain are sorted and joined over descriptors and chains', (t) => {
  const machine = setup();
  const at = (index: number) => ({ address: (FRAME + index) * PAGE, writable: true });
  machine.reporting.post({ ...at(8), length: 2 * PAGE }, { ...at(0), length: 4 * PAGE });
  machine.reporting.post({ ...at(4), length: 4 * PAGE }, { ...at(20), length: PAGE });
  machine.driver.kick(QUEUE);
  t.deepEqual(discards(machine), [[FRAME * PAGE, 10 * PAGE, (FRAME + 20) * PAGE, PAGE]]);
  t.is(machine.reporting.takeUsed().length, 2);
  t.is(machine.interrupts(), 1);
  t.is(machine.faults.of('range-overlap'), 0);
});

test('R17, B5: ranges are clamped to whole pages and to RAM, and what is cut off is counted', (t) => {
  const machine = setup();
  report(machine, [FRAME * PAGE + 1, 3 * PAGE]);
  t.deepEqual(discards(machine), [[(FRAME + 1) * PAGE, 2 * PAGE]]);
  t.is(machine.faults.of('range-unaligned'), 1);
  report(machine, [LOW_END - PAGE, 3 * PAGE]);
  t.deepEqual(discards(machine).at(-1), [4 * MIB - PAGE, PAGE], 'the rest lies in the hole');
  t.is(machine.faults.of('range-outside-ram'), 2);
  report(machine, [HIGH + 8 * MIB - PAGE, 2 ** 32 - PAGE]);
  t.deepEqual(discards(machine).at(-1), [24 * MIB - PAGE, PAGE], 'the end of RAM');
  const before = discards(machine).length;
  report(machine, [2 ** 64 - 2 * PAGE, 2 ** 32 - PAGE], [FRAME * PAGE + 8, 64], [FRAME * PAGE, 0]);
  t.is(discards(machine).length, before);
  t.is(machine.faults.of('range-unaligned'), 2);
  report(machine, [16 * MIB - PAGE, 2 * PAGE]);
  t.deepEqual(discards(machine).slice(-2), [
    [16 * MIB - PAGE, PAGE],
    [0, PAGE],
  ]);
  t.is(machine.reporting.takeUsed().length, 5, 'B1: every one is acknowledged');
});

test('R17: memory that is named twice goes back once', (t) => {
  const machine = setup();
  report(machine, [FRAME * PAGE, 4 * PAGE], [(FRAME + 2) * PAGE, 4 * PAGE], [FRAME * PAGE, PAGE]);
  t.deepEqual(discards(machine), [[FRAME * PAGE, 6 * PAGE]]);
  t.is(machine.faults.of('range-overlap'), 3);
  t.is(machine.device.metrics.reportedPages, 6);
});

test('K5: a readable buffer is no range: a list of page frames here is left alone', (t) => {
  const machine = setup();
  touch(machine, FRAME);
  const head = machine.reporting.post(
    { address: FRAME * PAGE, length: PAGE },
    { address: (FRAME + 1) * PAGE, length: PAGE, writable: true },
  );
  machine.driver.kick(QUEUE);
  t.false(isZero(machine, FRAME));
  t.is(machine.faults.of('read-only-buffer'), 1);
  t.deepEqual(discards(machine), [[(FRAME + 1) * PAGE, PAGE]], 'the good one is served');
  t.deepEqual(machine.reporting.takeUsed(), [{ id: head, length: 0 }]);
});

test('R3: a malformed chain on the reporting queue comes back and gives nothing back', (t) => {
  const machine = setup();
  touch(machine, FRAME);
  machine.reporting.writeDescriptor(7, FRAME * PAGE, PAGE, 3, 7);
  machine.reporting.pushHead(7);
  machine.driver.kick(QUEUE);
  t.false(isZero(machine, FRAME));
  t.deepEqual(machine.reporting.takeUsed(), [{ id: 7, length: 0 }]);
});

test('D8: with a poison value other than 0 a reported page keeps its content', (t) => {
  const machine = setup({ poison: 0xaaaaaaaa });
  touch(machine, FRAME);
  const head = report(machine, [FRAME * PAGE, 4 * PAGE], [LOW_END, PAGE]);
  t.false(isZero(machine, FRAME));
  t.deepEqual(discards(machine), []);
  t.is(machine.device.metrics.poisonedPagesKept, 4);
  t.is(machine.faults.of('range-outside-ram'), 1);
  t.deepEqual(machine.reporting.takeUsed(), [{ id: head, length: 0 }]);
  machine.guest.writeU32Array(0x130000, Uint32Array.of(FRAME));
  machine.inflate.post({ address: 0x130000, length: 4 });
  machine.driver.kick(0);
  t.true(isZero(machine, FRAME), 'a page in the balloon goes back: its driver fills it anew');
});

test('D8: with a poison value of 0, as init_on_free has it, zero is what the guest expects', (t) => {
  const machine = setup({ poison: 0 });
  touch(machine, FRAME);
  report(machine, [FRAME * PAGE, PAGE]);
  t.true(isZero(machine, FRAME));
  t.is(machine.device.metrics.poisonedPagesKept, 0);
});

test('D8: without PAGE_POISON negotiated, what stands in the field counts for nothing', (t) => {
  const machine = makeMachine({ features: REPORTING });
  machine.driver.writeStatus(1);
  machine.driver.writeStatus(3);
  machine.driver.write32(0x10c, 0xaaaaaaaa);
  bootAsLinux(machine, 0xffffffff & ~0x10);
  touch(machine, FRAME);
  report(machine, [FRAME * PAGE, PAGE]);
  t.is(machine.driver.read32(0x10c), 0xaaaaaaaa);
  t.true(isZero(machine, FRAME));
});

test('S8: the poison value counts as it stood at DRIVER_OK; a reset forgets it', (t) => {
  const machine = setup({ poison: 0xaaaaaaaa });
  machine.driver.write32(0x10c, 0);
  t.is(machine.faults.of('poison-changed'), 1);
  touch(machine, FRAME);
  report(machine, [FRAME * PAGE, PAGE]);
  t.false(isZero(machine, FRAME));
  machine.driver.writeStatus(0);
  t.is(machine.driver.read32(0x10c), 0);
  for (const queue of [machine.inflate, machine.deflate, machine.stats, machine.reporting]) {
    queue.restart();
  }
  bootAsLinux(machine, 0xffffffff & ~0x10);
  report(machine, [FRAME * PAGE, PAGE]);
  t.true(isZero(machine, FRAME), 'the next driver expects nothing');
});

test('R11: on large host pages whole ones go back, and the balloon’s own count is untouched', (t) => {
  const machine = setup({ pageSize: 16_384 });
  for (let frame = FRAME; frame < FRAME + 12; frame++) touch(machine, frame);
  report(machine, [(FRAME + 1) * PAGE, 8 * PAGE]);
  t.deepEqual(discards(machine), [[(FRAME + 4) * PAGE, 4 * PAGE]]);
  t.is(machine.device.metrics.reportedPages, 8);
  report(machine, [(FRAME + 1) * PAGE, 2 * PAGE]);
  t.is(discards(machine).length, 1);
  const list = Uint32Array.of(FRAME, FRAME + 3);
  machine.guest.writeU32Array(0x130000, list);
  machine.inflate.post({ address: 0x130000, length: list.byteLength });
  machine.driver.kick(0);
  t.is(discards(machine).length, 1, 'what was reported is in use again');
});

test('D1, L6: the same device serves a driver that refused statistics, by Linux’ and by QEMU’s counting', (t) => {
  for (const [counting, queue] of [
    ['linux', 2],
    ['qemu', 3],
    ['table', 4],
  ] as const) {
    const machine = makeMachine({ features: REPORTING });
    machine.driver.negotiate(0xffffffff & ~2);
    machine.driver.setUpQueue(0, machine.inflate.layout);
    machine.driver.setUpQueue(1, machine.deflate.layout);
    machine.driver.setUpQueue(queue, machine.reporting.layout);
    machine.driver.writeStatus(0xf);
    t.is(machine.driver.status, 0xf, counting);
    touch(machine, FRAME);
    machine.reporting.post({ address: FRAME * PAGE, length: PAGE, writable: true });
    machine.driver.kick(queue);
    t.true(isZero(machine, FRAME), counting);
    t.is(machine.device.requestStats(0), 'not-ready');
  }
});

test('R1: a broken reporting queue asks for a reset, and the others work', (t) => {
  const machine = setup();
  machine.reporting.setAvailIndex(500);
  machine.driver.kick(QUEUE);
  t.is(machine.driver.status, 0x4f);
  machine.deflate.post({ address: 0x130000, length: 4 });
  machine.driver.kick(1);
  t.is(machine.deflate.takeUsed().length, 1);
});
