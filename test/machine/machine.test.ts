import test from 'ava';
import { UnsupportedError } from '../../src/hal/contract/errors.js';
import type { BusDevice } from '../../src/machine/bus.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { Machine, type MachineOptions } from '../../src/machine/machine.js';
import { microGuest } from '../../src/machine/micro-guest.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import { FIRST_VCPU, IMAGE, IMAGE_PATH, MIB, makeHal, RESET_REGISTERS, VM } from './harness.js';

const DEVICE: BusDevice = {
  read: (_offset, size) => new Uint8Array(size).fill(0x42),
  write: () => {},
};
const BALLOON = { slot: 0, notify: [{ queue: 0 }, { queue: 1 }], device: DEVICE };
const HIGH_RAM = 3072 * MIB + 4096;

function setup(change: Partial<MachineOptions> = {}) {
  const fixture = makeHal();
  const vmEnds: VmEnd[] = [];
  const lines: string[] = [];
  const options: MachineOptions = {
    hal: fixture.hal,
    events: fixture.reactor,
    architecture: 'x86_64',
    ramBytes: 16 * MIB,
    boot: microGuest(IMAGE_PATH, { device: virtioSlot(0), idleExitUs: 1000 }),
    onLine: (line) => lines.push(line),
    onEnd: (end) => vmEnds.push(end),
    ...change,
  };
  return { ...fixture, options, vmEnds, lines };
}

/** A machine with a device in slot 0, whose vCPU runs. */
function running(change: Partial<MachineOptions> = {}) {
  const fixture = setup(change);
  const machine = fixture.inTurn(() => new Machine(fixture.options));
  const wiring = fixture.inTurn(() => machine.attachMmio(BALLOON));
  fixture.start(() => machine.run());
  return { ...fixture, machine, wiring };
}

test('a machine is assembled in the order that KVM wants', (t) => {
  const { calls } = running({ ramBytes: HIGH_RAM });
  t.deepEqual(
    calls.map(({ name }) => name),
    [
      'createVm',
      'setTssAddress',
      'createIrqchip',
      'createPit',
      'setMemory',
      'setMemory',
      'createVcpu',
      'checkExtension',
      'supportedCpuid',
      'setCpuid',
      'tscKhz',
      'setMsrs',
      'getSystemRegisters',
      'setSystemRegisters',
      'setRegisters',
      'irqfd',
      'ioeventfd',
      'ioeventfd',
      'run',
    ],
  );
});

test('RAM is one region around the gap', (t) => {
  const { machine, called } = running({ ramBytes: HIGH_RAM });
  const region = machine.ram[0]?.region;
  const common = { vm: VM, region, readOnly: false };
  t.deepEqual(called('setTssAddress'), [{ vm: VM, address: 0xfffbd000 }]);
  t.deepEqual(called('setMemory'), [
    { ...common, slot: 0, address: 0, size: 0xc0000000, offset: 0 },
    { ...common, slot: 1, address: 2 ** 32, size: 4096, offset: 0xc0000000 },
  ]);
});

test('the guest finds image, parameters, tables and registers', (t) => {
  const { machine, called, inTurn } = running();
  const read = (address: number, length: number): Uint8Array => {
    const into = new Uint8Array(length);
    t.is(
      inTurn(() => machine.memory.read(address, into)),
      'ok',
    );
    return into;
  };
  t.deepEqual(read(0x100000, IMAGE.length), IMAGE);
  const parameters = new DataView(read(0x7000, 88).buffer);
  t.is(parameters.getUint32(0, true), 0x42475948);
  t.is(parameters.getUint32(8, true), 16 * MIB);
  t.is(parameters.getUint32(16, true), 0xd0000000);
  t.is(parameters.getUint32(40, true), 5);
  t.is(parameters.getUint32(44, true), 2_000_000);
  t.is(parameters.getUint32(72, true), 1000);
  t.deepEqual(read(0x508, 8), Uint8Array.of(0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0));
  t.deepEqual(read(0x9000, 2), Uint8Array.of(3, 0xa0));
  const [{ registers: system }] = called('setSystemRegisters');
  t.is(system.cr3, 0x9000n);
  t.is(system.apicBase, RESET_REGISTERS.apicBase);
  const [{ registers }] = called('setRegisters');
  t.deepEqual([registers.rip, registers.rsi, registers.rsp], [0x100000n, 0x7000n, 0x8ff0n]);
  t.is(called('setCpuid')[0].entries[0].ecx, 0x8100_0001);
});

test('a device gets its window, an irqfd, and a doorbell for each queue', (t) => {
  const { machine, wiring, called, inTurn, exit } = running();
  t.deepEqual([wiring.address, wiring.gsi], [0xd0000000, 5]);
  t.deepEqual(called('irqfd'), [{ vm: VM, eventfd: wiring.call, gsi: 5, on: true }]);
  t.deepEqual(
    called('ioeventfd'),
    wiring.kicks.map(({ queue, eventfd }) => ({
      vm: VM,
      eventfd,
      address: 0xd0000050,
      space: 'mmio',
      length: 4,
      hasMatch: true,
      match: queue,
      on: true,
    })),
  );
  t.deepEqual(
    wiring.kicks.map(({ queue }) => queue),
    [0, 1],
  );
  exit({ reason: 'mmio', address: 0xd0000ffc, size: 4, data: new Uint8Array(4) });
  t.deepEqual(called('complete')[0].data, new Uint8Array(4).fill(0x42));
  let seen: unknown;
  const made = inTurn(() =>
    machine.attachMmio({
      slot: 3,
      gsi: 11,
      notify: [],
      device: (given) => {
        seen = given;
        return DEVICE;
      },
    }),
  );
  t.is(seen, made);
  t.deepEqual([made.address, made.gsi, made.kicks], [0xd0003000, 11, []]);
});

test('posted writes: acknowledgements go to an eventfd of their own, reports to their device', (t) => {
  const { machine, wiring, called, inTurn } = running();
  const kicks = called('ioeventfd').length;
  const attachment = { notify: [], reports: [{ offset: 4, size: 4 }], device: DEVICE };
  inTurn(() => machine.attachMmio({ slot: 3, driverWrites: 'posted', ...attachment }));
  const [ack, ...others] = called('ioeventfd').slice(kicks);
  t.deepEqual(others, []);
  const write = { vm: VM, address: 0xd0003064, space: 'mmio', length: 4, hasMatch: true, match: 1 };
  t.deepEqual(ack, { ...write, eventfd: ack.eventfd, on: true });
  t.not(ack.eventfd, wiring.call);
  t.deepEqual(called('post'), [{ vm: VM, address: 0xd0003104, size: 4, on: true }]);
  inTurn(() => machine.attachMmio({ slot: 4, driverWrites: 'exit', ...attachment }));
  t.deepEqual([called('ioeventfd').length, called('post').length], [kicks + 1, 1]);
});

test('a slot holds one device', (t) => {
  const { machine, inTurn, called } = running();
  t.throws(() => inTurn(() => machine.attachMmio(BALLOON)), { message: /overlaps/ });
  t.throws(() => inTurn(() => machine.attachMmio({ ...BALLOON, slot: 19 })), {
    message: /no virtio-mmio slot 19/,
  });
  t.is(called('irqfd').length, 1);
});

test('the guest reaches its console and its end', (t) => {
  const { machine, exit, called, lines, vmEnds, shown, inTurn } = running();
  const line = Uint8Array.of(3, 0, 0, 0, 0x68, 0x69, 0x0a);
  inTurn(() => machine.memory.write(0x5000, line));
  exit({ address: 0x502, size: 4, isWrite: true, data: Uint8Array.of(0, 0x50, 0, 0) });
  exit({ address: 0x3f8, isWrite: true, data: Uint8Array.of(0x21, 0x0a) });
  t.deepEqual(lines, ['hi', '!']);
  t.deepEqual(shown, ['hi\n', '!\n']);
  exit({ address: 0x501, data: new Uint8Array(1) });
  t.is(machine.end, undefined);
  exit({ address: 0x501, isWrite: true, data: Uint8Array.of(5) });
  t.deepEqual(vmEnds, [{ kind: 'guest-exit', code: 5 }]);
  t.deepEqual(machine.end, vmEnds[0]);
  const none = new Uint8Array(0);
  t.deepEqual(called('complete').at(-1), { vcpu: FIRST_VCPU, data: none, resume: false });
});

test('close shows the rest of the console and gives everything back, once', (t) => {
  const { machine, wiring, exit, called, hal, inTurn, shown, options } = running();
  t.is(options.ramBytes, 16 * MIB);
  const region = machine.ram[0]?.region ?? 0;
  exit({ address: 0x3f8, isWrite: true, data: Uint8Array.of(0x3f) });
  inTurn(() => {
    machine.close();
    machine.close();
  });
  t.deepEqual(shown, ['?']);
  t.deepEqual(called('closeVm'), [{ vm: VM }]);
  t.throws(() => inTurn(() => hal.mmap.describe({ region })), { code: 'CLOSED_HANDLE' });
  for (const eventfd of [wiring.call, ...wiring.kicks.map((kick) => kick.eventfd)]) {
    t.throws(() => inTurn(() => hal.eventFd.signal({ eventfd })), { code: 'CLOSED_HANDLE' });
  }
});

test('a machine may be closed by the handler of its end', (t) => {
  let machine: Machine | undefined;
  const fixture = running({ onEnd: () => machine?.close() });
  machine = fixture.machine;
  fixture.exit({ reason: 'shutdown' });
  t.deepEqual(
    fixture.calls.slice(-2).map(({ name }) => name),
    ['complete', 'closeVm'],
  );
  t.deepEqual(fixture.ends, []);
});

test('stop ends the guest once its vCPU has left it', (t) => {
  const { machine, exit, called, vmEnds, inTurn } = running();
  inTurn(() => machine.stop('the user asked'));
  t.deepEqual(called('stop'), [{ vcpu: FIRST_VCPU }]);
  t.deepEqual(vmEnds, []);
  exit({ reason: 'stopped' });
  t.deepEqual(vmEnds, [{ kind: 'stopped', why: 'the user asked' }]);
});

test('what cannot be is refused before a VM is made', (t) => {
  const { options, calls, inTurn } = setup({ architecture: 'arm' });
  t.throws(() => inTurn(() => new Machine(options)), {
    instanceOf: UnsupportedError,
    message: /architecture arm can/,
  });
  t.throws(() => inTurn(() => new Machine({ ...options, architecture: 'x86_64', ramBytes: 5 })), {
    instanceOf: RangeError,
  });
  t.deepEqual(calls, []);
});

test('a guest that cannot be loaded: the error says why, and the VM is closed again', (t) => {
  const device = virtioSlot(0);
  const missing = setup({ boot: microGuest('absent', { device }) });
  t.throws(() => missing.inTurn(() => new Machine(missing.options)), { code: 'SYSCALL_FAILED' });
  t.deepEqual(missing.called('closeVm'), [{ vm: VM }]);
  const tooLarge = setup({ boot: microGuest(IMAGE_PATH, { device, queueSize: 1e6 }) });
  t.throws(() => tooLarge.inTurn(() => new Machine(tooLarge.options)), {
    message: /^queueSize of the micro guest/,
  });
  t.deepEqual(tooLarge.called('closeVm'), [{ vm: VM }]);
});
