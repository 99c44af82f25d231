import test from 'ava';
import { Bus, type BusDevice, PendingAnswer } from '../../src/machine/bus.js';
import { Vcpus } from '../../src/machine/vcpus.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import { FIRST_VCPU, makeHal, VM } from './harness.js';

const SECOND_VCPU = FIRST_VCPU + 1;

/** Vcpus that run, over a fake hypervisor; `device` sits at MMIO 0x1000 and at port 0x10. */
function setup(device: BusDevice, count = 1) {
  const machine = makeHal();
  const bus = new Bus();
  bus.add({ space: 'mmio', address: 0x1000, size: 0x100, device });
  bus.add({ space: 'pio', address: 0x10, size: 4, device });
  const ended: VmEnd[] = [];
  const vcpus = new Vcpus({
    kvm: machine.hal.kvm,
    events: machine.reactor,
    bus,
    vm: VM,
    vcpus: [FIRST_VCPU, SECOND_VCPU].slice(0, count),
    onEnd: (end) => ended.push(end),
  });
  machine.start(() => vcpus.run());
  const completions = () => machine.called('complete');
  return { ...machine, bus, ended, vcpus, completions };
}

/** Answers a read with its offset, and notes writes. */
function plainDevice() {
  const writes: [number, number[]][] = [];
  let reads = 0;
  const device: BusDevice = {
    read: (offset, size) => {
      reads++;
      return new Uint8Array(size).fill(offset + reads);
    },
    write: (offset, data) => {
      writes.push([offset, [...data]]);
    },
  };
  return { device, writes };
}

const resumed = (data: number[], vcpu = FIRST_VCPU) => ({
  vcpu,
  data: Uint8Array.from(data),
  resume: true,
});

test('reads are completed with the device’s data, writes with none', (t) => {
  const { device, writes } = plainDevice();
  const { exit, completions, called } = setup(device);
  t.deepEqual(called('run'), [{ vcpu: FIRST_VCPU }]);
  exit({ reason: 'mmio', address: 0x1020, size: 4, data: new Uint8Array(4) });
  exit({ reason: 'mmio', address: 0x1030, size: 2, isWrite: true, data: Uint8Array.of(7, 8) });
  t.deepEqual(completions(), [resumed([0x21, 0x21, 0x21, 0x21]), resumed([])]);
  t.deepEqual(writes, [[0x30, [7, 8]]]);
});

test('what no device answers reads as ones', (t) => {
  const { device } = plainDevice();
  const { exit, completions, bus } = setup(device);
  exit({ reason: 'pio', address: 0x64, data: new Uint8Array(1) });
  exit({ reason: 'mmio', address: 0x2000, size: 8, isWrite: true, data: new Uint8Array(8) });
  t.deepEqual(completions(), [resumed([0xff]), resumed([])]);
  t.deepEqual(bus.unmapped, { reads: 1, writes: 1 });
});

test('a string instruction is as many accesses, all at its port', (t) => {
  const { device, writes } = plainDevice();
  const { exit, completions } = setup(device);
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
  exit({ reason: 'pio', address: 0x11, size: 2, isWrite: true, data });
  exit({ reason: 'pio', address: 0x10, size: 1, data: new Uint8Array(3) });
  t.deepEqual(writes, [
    [1, [1, 2]],
    [1, [3, 4]],
    [1, [5, 6]],
  ]);
  t.deepEqual(completions(), [resumed([]), resumed([1, 2, 3])]);
});

test('a device may answer later: the vCPU waits, and a string goes on after it', (t) => {
  const pending: PendingAnswer[] = [];
  let reads = 0;
  const device: BusDevice = {
    read: (_offset, size) => {
      reads++;
      if (reads !== 2) return new Uint8Array(size).fill(reads);
      const answer = new PendingAnswer();
      pending.push(answer);
      return answer;
    },
    write: () => {
      const answer = new PendingAnswer();
      pending.push(answer);
      return answer;
    },
  };
  const { exit, completions, inTurn } = setup(device);
  exit({ reason: 'pio', address: 0x10, size: 1, data: new Uint8Array(3) });
  t.deepEqual(completions(), []);
  t.is(reads, 2);
  inTurn(() => pending[0]?.answer(Uint8Array.of(0x77)));
  t.deepEqual(completions(), [resumed([1, 0x77, 3])]);
  exit({ reason: 'mmio', address: 0x1000, size: 4, isWrite: true, data: new Uint8Array(4) });
  t.is(completions().length, 1);
  inTurn(() => pending[1]?.answer());
  t.deepEqual(completions()[1], resumed([]));
});

test('coalesced writes reach the bus in order, before the exit that brought them', (t) => {
  const { device, writes } = plainDevice();
  const { emit, exit, completions } = setup(device);
  emit.coalesced({ vm: VM, space: 'mmio', address: 0x1004, data: Uint8Array.of(1) });
  emit.coalesced({ vm: VM, space: 'pio', address: 0x12, data: Uint8Array.of(2) });
  emit.coalesced({ vm: VM + 1, space: 'pio', address: 0x12, data: Uint8Array.of(9) });
  exit({ reason: 'pio', address: 0x10, isWrite: true, data: Uint8Array.of(3) });
  t.deepEqual(writes, [
    [4, [1]],
    [2, [2]],
    [0, [3]],
  ]);
  t.is(completions().length, 1);
});

for (const [reason, detail, end] of [
  ['shutdown', 0n, { kind: 'shutdown' }],
  ['system-event', 1n, { kind: 'power-off' }],
  ['system-event', 2n, { kind: 'reset' }],
  ['system-event', 3n, { kind: 'system-event', type: 3n }],
  ['internal-error', 1n, { kind: 'internal-error', suberror: 1n }],
  ['fail-entry', 0x80000021n, { kind: 'fail-entry', hardwareReason: 0x80000021n }],
  ['hlt', 0n, { kind: 'halted' }],
  ['stopped', 0n, { kind: 'stopped', why: 'a vCPU was made to exit' }],
  ['other', 37n, { kind: 'unknown-exit', exitReason: 37n }],
] as const) {
  test(`the exit ${reason} (${detail}) ends the machine, and its thread`, (t) => {
    const { exit, completions, ended, vcpus, called } = setup(plainDevice().device);
    exit({ reason, detail });
    t.deepEqual(ended, [end]);
    t.deepEqual(vcpus.end, end);
    t.deepEqual(completions(), [{ vcpu: FIRST_VCPU, data: new Uint8Array(0), resume: false }]);
    t.deepEqual(called('stop'), []);
  });
}

test('a device that ends the machine: the access is completed once, and does not resume', (t) => {
  let reads = 0;
  const device: BusDevice = {
    read: (_offset, size) => {
      reads++;
      fixture.vcpus.finish({ kind: 'guest-exit', code: 4 });
      fixture.vcpus.finish({ kind: 'guest-exit', code: 5 });
      return new Uint8Array(size);
    },
    write: () => fixture.vcpus.finish({ kind: 'guest-exit', code: 3 }),
  };
  const fixture = setup(device);
  fixture.exit({ reason: 'pio', address: 0x10, size: 2, data: new Uint8Array(4) });
  t.deepEqual(fixture.completions(), [
    { vcpu: FIRST_VCPU, data: new Uint8Array(4).fill(0xff), resume: false },
  ]);
  t.is(reads, 1);
  t.deepEqual(fixture.ended, [{ kind: 'guest-exit', code: 4 }]);
});

test('stopping makes a running vCPU exit, and reports when it has', (t) => {
  const { exit, completions, ended, vcpus, called, inTurn } = setup(plainDevice().device);
  inTurn(() => vcpus.finish({ kind: 'stopped', why: 'test' }));
  inTurn(() => vcpus.finish({ kind: 'shutdown' }));
  t.deepEqual(called('stop'), [{ vcpu: FIRST_VCPU }]);
  t.deepEqual(ended, []);
  exit({ reason: 'stopped' });
  t.deepEqual(ended, [{ kind: 'stopped', why: 'test' }]);
  t.deepEqual(completions(), [{ vcpu: FIRST_VCPU, data: new Uint8Array(0), resume: false }]);
});

test('an access that was on its way when the machine was stopped reaches no device', (t) => {
  const { device, writes } = plainDevice();
  const { exit, completions, ended, vcpus, inTurn } = setup(device);
  inTurn(() => vcpus.finish({ kind: 'stopped', why: 'test' }));
  exit({ reason: 'mmio', address: 0x1000, size: 4, isWrite: true, data: new Uint8Array(4) });
  t.deepEqual(writes, []);
  t.is(completions().length, 1);
  t.is(completions()[0].resume, false);
  t.is(ended.length, 1);
});

test('stopping answers a vCPU that waits for a device; the late answer is dropped', (t) => {
  const pending = new PendingAnswer();
  const device: BusDevice = { read: () => pending, write: () => {} };
  const { exit, completions, ended, vcpus, called, inTurn } = setup(device);
  exit({ reason: 'mmio', address: 0x1000, size: 2, data: new Uint8Array(2) });
  inTurn(() => vcpus.finish({ kind: 'stopped', why: 'test' }));
  inTurn(() => pending.answer(Uint8Array.of(1, 2)));
  t.deepEqual(completions(), [
    { vcpu: FIRST_VCPU, data: Uint8Array.of(0xff, 0xff), resume: false },
  ]);
  t.deepEqual(called('stop'), []);
  t.is(ended.length, 1);
});

test('two vCPUs: the end of one stops the other, and the first reason counts', (t) => {
  const { exit, completions, ended, called } = setup(plainDevice().device, 2);
  exit({ vcpu: SECOND_VCPU, reason: 'shutdown' });
  t.deepEqual(called('stop'), [{ vcpu: FIRST_VCPU }]);
  t.deepEqual(ended, []);
  exit({ vcpu: FIRST_VCPU, reason: 'stopped' });
  t.deepEqual(ended, [{ kind: 'shutdown' }]);
  t.deepEqual(
    completions().map(({ vcpu, resume }) => [vcpu, resume]),
    [
      [SECOND_VCPU, false],
      [FIRST_VCPU, false],
    ],
  );
});

test('a device that answers with the wrong size fails the run, and the vCPU is let go', (t) => {
  const device: BusDevice = { read: () => new Uint8Array(1), write: () => {} };
  const { exit, completions, ends } = setup(device);
  exit({ reason: 'mmio', address: 0x1000, size: 4, data: new Uint8Array(4) });
  t.deepEqual(completions(), [
    { vcpu: FIRST_VCPU, data: new Uint8Array(4).fill(0xff), resume: false },
  ]);
  t.regex(String(ends[0]?.failure), /read of 4 bytes at mmio 0x1000 with 1/);
});

test('vCPUs run once', (t) => {
  const { vcpus, inTurn } = setup(plainDevice().device);
  t.throws(() => inTurn(() => vcpus.run()), { message: /runs once/ });
});

test('after dispose nothing is answered any more, and a waiting vCPU was let go', (t) => {
  const pending = new PendingAnswer();
  const device: BusDevice = { read: () => pending, write: () => {} };
  const { exit, completions, vcpus, inTurn, ended } = setup(device);
  exit({ reason: 'mmio', address: 0x1000, size: 1, data: new Uint8Array(1) });
  inTurn(() => vcpus.dispose());
  inTurn(() => pending.answer(Uint8Array.of(1)));
  t.deepEqual(completions(), [{ vcpu: FIRST_VCPU, data: Uint8Array.of(0xff), resume: false }]);
  exit({ reason: 'shutdown' });
  t.is(completions().length, 1);
  t.deepEqual(ended, []);
});
