import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import {
  asm,
  byteAt,
  CODE,
  DEVICE,
  jump,
  MEMORY_BYTES,
  makeGuest,
  NO_DATA,
  PORT,
} from './real-mode-guest.js';
import { type Check, type Suite } from './rig.js';

/** Exits and their answers, doorbells and collected writes. The refusals are in kvm-refusals.suite.ts. */
export const kvmSuite: Suite = (check) => {
  accessTests(check);
  stringTests(check);
  doorbellTests(check);
  endTests(check);
};

function accessTests(check: Check): void {
  check('kvm: port output and input', function* (t, rig) {
    const guest = makeGuest(rig, [
      [...asm.dx(PORT), ...asm.ax(0x1234), ...asm.outWord],
      [...asm.inByte, ...asm.storeAl(0x2000), ...asm.hlt],
    ]);
    const { kvm, vcpu } = guest;
    kvm.run({ vcpu });
    t.deepEqual(yield* rig.nextEvent(Kvm, 'exit'), {
      vcpu,
      reason: 'pio',
      address: PORT,
      size: 2,
      isWrite: true,
      data: new Uint8Array([0x34, 0x12]),
      detail: 0n,
    });
    kvm.complete({ vcpu, data: NO_DATA, resume: true });
    const read = yield* rig.nextEvent(Kvm, 'exit');
    t.false(read.isWrite);
    t.deepEqual(read.data, new Uint8Array(1));
    kvm.complete({ vcpu, data: new Uint8Array([0x77]), resume: true });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    t.is(byteAt(guest, 0x2000), 0x77);
  });

  check('kvm: memory-mapped output and input', function* (t, rig) {
    const guest = makeGuest(rig, [
      [...asm.ax(0xbeef), ...asm.storeAx(DEVICE)],
      [...asm.loadAx(DEVICE + 8), ...asm.storeAx(0x2000), ...asm.hlt],
    ]);
    const { kvm, vcpu } = guest;
    kvm.run({ vcpu });
    t.deepEqual(yield* rig.nextEvent(Kvm, 'exit'), {
      vcpu,
      reason: 'mmio',
      address: DEVICE,
      size: 2,
      isWrite: true,
      data: new Uint8Array([0xef, 0xbe]),
      detail: 0n,
    });
    kvm.complete({ vcpu, data: NO_DATA, resume: true });
    const read = yield* rig.nextEvent(Kvm, 'exit');
    t.deepEqual([read.reason, read.address, read.isWrite], ['mmio', DEVICE + 8, false]);
    t.deepEqual(read.data, new Uint8Array(2));
    kvm.complete({ vcpu, data: new Uint8Array([1, 2]), resume: true });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    t.deepEqual([byteAt(guest, 0x2000), byteAt(guest, 0x2001)], [1, 2]);
  });

  check('kvm: an access is finished even if the vCPU does not go on', function* (t, rig) {
    const guest = makeGuest(rig, [
      [...asm.dx(PORT), ...asm.inByte, ...asm.storeAl(0x2000), ...asm.hlt],
    ]);
    const { kvm, vcpu } = guest;
    kvm.run({ vcpu });
    yield* rig.nextEvent(Kvm, 'exit');
    kvm.complete({ vcpu, data: new Uint8Array([0x5a]), resume: false });
    const { rip, rax } = kvm.getRegisters({ vcpu });
    t.is(rip, BigInt(CODE + 4));
    t.is(rax & 0xffn, 0x5an);
    t.is(byteAt(guest, 0x2000), 0);
    kvm.run({ vcpu });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    t.is(byteAt(guest, 0x2000), 0x5a);
  });

  check('kvm: a halted vCPU goes on behind the hlt', function* (t, rig) {
    const guest = makeGuest(rig, [[...asm.hlt, ...asm.ax(7), ...asm.storeAl(0x2000), ...asm.hlt]]);
    const { kvm, vcpu } = guest;
    kvm.run({ vcpu });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    kvm.complete({ vcpu, data: NO_DATA, resume: true });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    t.is(byteAt(guest, 0x2000), 7);
  });
}

function stringTests(check: Check): void {
  check('kvm: string output and input, in as many exits as KVM likes', function* (t, rig) {
    const guest = makeGuest(rig, [
      [...asm.dx(PORT), ...asm.si(0x2000), ...asm.cx(5), ...asm.repOutsb],
      [...asm.di(0x3000), ...asm.cx(5), ...asm.repInsb, ...asm.hlt],
    ]);
    const { kvm, vcpu, mmap, region } = guest;
    mmap.write({ region, offset: 0x2000 - CODE, data: new Uint8Array([1, 2, 3, 4, 5]) });
    kvm.run({ vcpu });
    const written: number[] = [];
    let next = 10;
    for (;;) {
      const exit = yield* rig.nextEvent(Kvm, 'exit');
      if (exit.reason !== 'pio') break;
      t.is(exit.size, 1);
      if (exit.isWrite) written.push(...exit.data);
      const data = exit.isWrite ? NO_DATA : exit.data.map(() => next++);
      kvm.complete({ vcpu, data, resume: true });
    }
    t.deepEqual(written, [1, 2, 3, 4, 5]);
    const into = new Uint8Array(5);
    mmap.read({ region, offset: 0x3000 - CODE, into });
    t.deepEqual([...into], [10, 11, 12, 13, 14]);
  });
}

/** Long enough for a guest to write some hundred times, on an emulated processor too. */
const DEAF_MS = 3000;

function doorbellTests(check: Check): void {
  check('kvm: an ioeventfd takes the writes that match, without an exit', function* (t, rig) {
    const guest = makeGuest(rig, [
      [...asm.ax(5), ...asm.storeAx(DEVICE), ...asm.ax(6), ...asm.storeAx(DEVICE)],
      [...asm.dx(PORT), ...asm.outByte, ...asm.hlt],
    ]);
    const { kvm, vm, vcpu } = guest;
    const eventFd = rig.hal(EventFd);
    const kick = eventFd.create({ name: 'kick' });
    const port = eventFd.create({ name: 'port' });
    const mmio = { vm, eventfd: kick, address: DEVICE, space: 'mmio', length: 2 } as const;
    kvm.ioeventfd({ ...mmio, hasMatch: true, match: 5, on: true });
    const pio = { vm, eventfd: port, address: PORT, space: 'pio', length: 1 } as const;
    kvm.ioeventfd({ ...pio, hasMatch: false, match: 0, on: true });
    kvm.run({ vcpu });
    const other = yield* rig.nextEvent(Kvm, 'exit');
    t.deepEqual([other.reason, ...other.data], ['mmio', 6, 0]);
    kvm.complete({ vcpu, data: NO_DATA, resume: true });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    for (const eventfd of [kick, port]) {
      eventFd.watch({ eventfd, on: true });
      t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), { eventfd, count: 1 });
    }
    kvm.ioeventfd({ ...pio, hasMatch: false, match: 0, on: false });
  });

  check('kvm: interrupts by irqfd and by line are accepted', (t, rig) => {
    const kvm = rig.hal(Kvm);
    const vm = kvm.createVm();
    kvm.setTssAddress({ vm, address: 0xfffbd000 });
    kvm.setIdentityMapAddress({ vm, address: 0xfffbc000 });
    kvm.createIrqchip({ vm });
    kvm.createPit({ vm });
    const eventfd = rig.hal(EventFd).create({ name: 'irq' });
    t.notThrows(() => kvm.irqfd({ vm, eventfd, gsi: 5, on: true }));
    rig.hal(EventFd).signal({ eventfd });
    t.notThrows(() => kvm.irqfd({ vm, eventfd, gsi: 5, on: false }));
    t.notThrows(() => kvm.setIrqLine({ vm, gsi: 5, level: true }));
    t.notThrows(() => kvm.setIrqLine({ vm, gsi: 5, level: false }));
  });

  check(
    'kvm: coalesced writes come in order, before the exit that brings them',
    function* (t, rig) {
      const guest = makeGuest(rig, [
        [...asm.ax(1), ...asm.storeAx(DEVICE), ...asm.ax(2), ...asm.storeAx(DEVICE + 4)],
        [...asm.dx(PORT), ...asm.ax(3), ...asm.outByte, ...asm.hlt],
      ]);
      const { kvm, vm, vcpu } = guest;
      kvm.coalesce({ vm, address: DEVICE, size: 16, space: 'mmio', on: true });
      kvm.coalesce({ vm, address: PORT, size: 1, space: 'pio', on: true });
      kvm.run({ vcpu });
      t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
      t.is(rig.pending(Kvm, 'coalesced'), 3);
      const writes = [];
      for (let at = 0; at < 3; at++) writes.push(yield* rig.nextEvent(Kvm, 'coalesced'));
      t.deepEqual(writes, [
        { vm, space: 'mmio', address: DEVICE, data: new Uint8Array([1, 0]) },
        { vm, space: 'mmio', address: DEVICE + 4, data: new Uint8Array([2, 0]) },
        { vm, space: 'pio', address: PORT, data: new Uint8Array([3]) },
      ]);
      kvm.coalesce({ vm, address: DEVICE, size: 16, space: 'mmio', on: false });
      jump(guest, CODE);
      kvm.complete({ vcpu, data: NO_DATA, resume: true });
      t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'mmio');
    },
  );

  check(
    'kvm: posted writes get no answer, and the last of each address is told',
    function* (t, rig) {
      const store = (value: number, address: number) => [...asm.ax(value), ...asm.storeAx(address)];
      const guest = makeGuest(rig, [
        [...store(1, DEVICE), ...store(2, DEVICE), ...store(3, DEVICE + 4), ...store(4, DEVICE)],
        // Two bytes of which only one is in the range.
        [...store(5, DEVICE + 7), ...asm.hlt],
      ]);
      const { kvm, vm, vcpu } = guest;
      kvm.post({ vm, address: DEVICE, size: 8, on: true });
      kvm.run({ vcpu });
      const exit = yield* rig.nextEvent(Kvm, 'exit');
      t.deepEqual([exit.reason, exit.address], ['mmio', DEVICE + 7]);
      const told: [number, number | undefined][] = [];
      while (rig.pending(Kvm, 'coalesced') > 0) {
        const { address, data } = yield* rig.nextEvent(Kvm, 'coalesced');
        told.push([address - DEVICE, data[0]]);
      }
      // How many are told depends on when; never out of order, and always the last.
      t.deepEqual(told.slice(-2), [
        [4, 3],
        [0, 4],
      ]);
      t.deepEqual(
        told
          .slice(0, -2)
          .filter(([address, value]) => address !== 0 || (value !== 1 && value !== 2)),
        [],
      );
      kvm.post({ vm, address: DEVICE, size: 8, on: false });
      jump(guest, CODE);
      kvm.complete({ vcpu, data: NO_DATA, resume: true });
      t.is((yield* rig.nextEvent(Kvm, 'exit')).address, DEVICE);
    },
  );

  check('kvm: a guest that posts faster than it is heard is made to wait', function* (t, rig) {
    const store = (value: number, address: number) => [...asm.ax(value), ...asm.storeAx(address)];
    // Never twice in a row to one address, so that nothing is left out.
    const stores = Array.from({ length: 80 }, (_, index) => [
      ...store(index, DEVICE),
      ...store(index, DEVICE + 4),
    ]);
    const { kvm, vm, vcpu } = makeGuest(rig, [...stores, asm.hlt]);
    kvm.post({ vm, address: DEVICE, size: 8, on: true });
    kvm.run({ vcpu });
    // Nobody hears the guest meanwhile; it runs on another thread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DEAF_MS);
    const first = yield* rig.nextEvent(Kvm, 'exit');
    t.deepEqual([first.reason, first.isWrite], ['mmio', true]);
    t.is(rig.pending(Kvm, 'coalesced'), 64);
    let told = 0;
    for (let exit = first; ; exit = yield* rig.nextEvent(Kvm, 'exit')) {
      while (rig.pending(Kvm, 'coalesced') > 0) {
        yield* rig.nextEvent(Kvm, 'coalesced');
        told++;
      }
      if (exit.reason === 'hlt') break;
      told++;
      kvm.complete({ vcpu, data: NO_DATA, resume: true });
    }
    t.is(told, 160);
  });

  check('kvm: a posted write is told although no exit follows', function* (t, rig) {
    const { kvm, vm, vcpu } = makeGuest(rig, [
      [...asm.ax(7), ...asm.storeAx(DEVICE), ...asm.forever],
    ]);
    kvm.post({ vm, address: DEVICE, size: 8, on: true });
    kvm.run({ vcpu });
    const { address, data } = yield* rig.nextEvent(Kvm, 'coalesced');
    t.deepEqual([address, data], [DEVICE, new Uint8Array([7, 0])]);
    t.is(rig.pending(Kvm, 'exit'), 0);
    kvm.stop({ vcpu });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'stopped');
  });

  check('kvm: a ring that runs over loses nothing', function* (t, rig) {
    // KVM's ring has 170 places in a page; the rest come as exits, behind what the ring holds.
    const count = 400;
    const guest = makeGuest(rig, [
      [...asm.dx(PORT), ...asm.si(0x2000), ...asm.cx(count), ...asm.repOutsb, ...asm.hlt],
    ]);
    const { kvm, vm, vcpu, mmap, region } = guest;
    const sent = Uint8Array.from({ length: count }, (_, index) => index & 0xff);
    mmap.write({ region, offset: 0x2000 - CODE, data: sent });
    kvm.coalesce({ vm, address: PORT, size: 1, space: 'pio', on: true });
    kvm.run({ vcpu });
    const received: number[] = [];
    for (;;) {
      const exit = yield* rig.nextEvent(Kvm, 'exit');
      while (rig.pending(Kvm, 'coalesced') > 0) {
        received.push(...(yield* rig.nextEvent(Kvm, 'coalesced')).data);
      }
      if (exit.reason !== 'pio') break;
      received.push(...exit.data);
      kvm.complete({ vcpu, data: NO_DATA, resume: true });
    }
    t.deepEqual(Uint8Array.from(received), sent);
  });
}

function endTests(check: Check): void {
  check('kvm: stop ends an endless loop, and the vCPU can go on after it', function* (t, rig) {
    const { kvm, vcpu } = makeGuest(rig, [asm.forever]);
    kvm.run({ vcpu });
    for (let round = 0; round < 3; round++) {
      kvm.stop({ vcpu });
      kvm.stop({ vcpu });
      const exit = yield* rig.nextEvent(Kvm, 'exit');
      t.deepEqual([exit.reason, exit.data.length, exit.isWrite], ['stopped', 0, false]);
      t.is(kvm.getRegisters({ vcpu }).rip, BigInt(CODE));
      kvm.complete({ vcpu, data: NO_DATA, resume: round < 2 });
    }
    t.is(rig.pending(Kvm, 'exit'), 0);
  });

  check(
    'kvm: stop during an exit follows its answer, with the access finished',
    function* (t, rig) {
      const { kvm, vcpu } = makeGuest(rig, [[...asm.dx(PORT), ...asm.inByte, ...asm.forever]]);
      kvm.run({ vcpu });
      t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'pio');
      kvm.stop({ vcpu });
      kvm.complete({ vcpu, data: new Uint8Array([0x66]), resume: true });
      t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'stopped');
      t.is(kvm.getRegisters({ vcpu }).rax & 0xffn, 0x66n);
    },
  );

  check('kvm: a VM can be closed while its vCPU runs, waits, or has never run', function* (t, rig) {
    const running = makeGuest(rig, [asm.forever]);
    running.kvm.run({ vcpu: running.vcpu });
    running.kvm.closeVm({ vm: running.vm });
    const waiting = makeGuest(rig, [asm.hlt]);
    waiting.kvm.run({ vcpu: waiting.vcpu });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    waiting.kvm.closeVm({ vm: waiting.vm });
    const idle = makeGuest(rig, [asm.hlt]);
    idle.kvm.closeVm({ vm: idle.vm });
    t.is(rig.pending(Kvm, 'exit'), 0);
  });

  check('kvm: memory taken away stops the vCPU with the reason', function* (t, rig) {
    const guest = makeGuest(rig, [asm.forever]);
    guest.kvm.setMemory({
      vm: guest.vm,
      slot: 0,
      address: CODE,
      size: 0,
      region: 0,
      offset: 0,
      readOnly: false,
    });
    guest.kvm.run({ vcpu: guest.vcpu });
    t.not((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    t.is(byteAt(guest, CODE + MEMORY_BYTES - 1), 0);
  });

  check('kvm: a guest that faults without a handler shuts down', function* (t, rig) {
    const { kvm, vcpu } = makeGuest(rig, [asm.undefined]);
    const system = kvm.getSystemRegisters({ vcpu });
    const protectedMode = { cr0: system.cr0 | 1n, idt: { base: 0n, limit: 0 } };
    kvm.setSystemRegisters({ vcpu, registers: { ...system, ...protectedMode } });
    kvm.run({ vcpu });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'shutdown');
  });
}
