import test from 'ava';
import { HalError, UnsupportedError } from '../../src/hal/contract/errors.js';
import { linuxBoot } from '../../src/machine/linux-boot.js';
import { GuestImageError } from '../../src/machine/linux-guest.js';
import { Machine, type MachineOptions } from '../../src/machine/machine.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import { ARM64_FILE_BYTES, arm64ImageHead } from './fake-kernel.js';
import { FIRST_VCPU, type KvmResults, MIB, makeHal, VM } from './harness.js';
import { find, readDeviceTree } from './read-device-tree.js';

const RAM = 0x80000000;
const IMAGE_BYTES = 0x1ab0000;
const TREE_BYTES = 2 * MIB;
const GIC = 300;
const ENODEV = 19;
const INITRD = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff);

/** Ids from the kernel's headers, written out. */
const PC = 0x6030_0000_0010_0040n;
const PSTATE = 0x6030_0000_0010_0042n;
const X0 = 0x6030_0000_0010_0000n;
const MPIDR = 0x6030_0000_0013_c005n;

const GIC_V3: KvmResults = {
  preferredTarget: () => ({ target: 5, features: [8, 0, 0, 0, 0, 0, 1] }),
  createDevice: () => GIC,
  // Uniprocessor or not: bit 31 is always one, and 16 CPUs are a cluster.
  getOneRegister: ({ vcpu }) => {
    const index = BigInt(vcpu - FIRST_VCPU);
    return 0x8000_0000n | (index & 15n) | ((index >> 4n) << 8n);
  },
};

const GIC_V2: KvmResults = {
  ...GIC_V3,
  createDevice: ({ type }) => {
    if (type === 7) throw new HalError('SYSCALL_FAILED', 'no such device', { errno: ENODEV });
    return GIC;
  },
};

function kernelFile(changes: Readonly<Record<number, readonly number[]>> = {}): Uint8Array {
  const file = new Uint8Array(ARM64_FILE_BYTES);
  file.set(arm64ImageHead(changes));
  file[ARM64_FILE_BYTES - 1] = 0x5a;
  return file;
}

interface Given {
  readonly ramBytes?: number;
  readonly cpus?: number;
  readonly kernel?: Uint8Array;
  readonly initrd?: Uint8Array | null;
  readonly commandLine?: string;
  readonly kvm?: KvmResults;
}

function boot(given: Given = {}) {
  const { kernel = kernelFile(), initrd = INITRD, kvm = GIC_V3 } = given;
  const files = { vmlinuz: kernel, ...(initrd === null ? {} : { initrd }) };
  const fixture = makeHal(files, kvm);
  const ends: VmEnd[] = [];
  const lines: string[] = [];
  const ramBytes = given.ramBytes ?? 256 * MIB;
  const options: MachineOptions = {
    hal: fixture.hal,
    events: fixture.reactor,
    architecture: 'aarch64',
    ramBytes,
    cpus: given.cpus ?? 1,
    boot: linuxBoot('aarch64', {
      kernel: 'vmlinuz',
      initrd: initrd === null ? null : 'initrd',
      commandLine: given.commandLine ?? 'console=ttyS0',
      virtioSlots: [0],
      rngSeed: Uint8Array.of(1, 2, 3),
    }),
    onLine: (line) => lines.push(line),
    onEnd: (end) => ends.push(end),
  };
  const machine = fixture.inTurn(() => new Machine(options));
  fixture.start(() => machine.run());
  const bytes = (address: number, length: number): Uint8Array => {
    const into = new Uint8Array(length);
    fixture.inTurn(() => machine.memory.read(address, into));
    return into;
  };
  const registers = new Map(fixture.called('setOneRegister').map(({ id, value }) => [id, value]));
  const treeAt = Number(registers.get(X0));
  const tree = () => {
    const size = Buffer.from(bytes(treeAt, 8)).readUInt32BE(4);
    return readDeviceTree(bytes(treeAt, size));
  };
  return { ...fixture, machine, ends, lines, bytes, registers, treeAt, tree };
}

test('the kernel is at the beginning of RAM and is entered with the device tree, masked, in EL1', (t) => {
  const { bytes, registers, treeAt, called } = boot();
  t.is(bytes(RAM + ARM64_FILE_BYTES - 1, 1)[0], 0x5a);
  t.is(registers.get(PC), BigInt(RAM));
  t.is(registers.get(PSTATE), 0x3c5n);
  t.is(treeAt, RAM + 254 * MIB);
  t.true(called('setOneRegister').every(({ vcpu }) => vcpu === FIRST_VCPU));
  t.is(called('setMemory')[0].address, RAM);
});

test('a kernel that wants to be away from 2 MiB is put there', (t) => {
  const { bytes, registers } = boot({ kernel: kernelFile({ 8: [0, 0, 8] }) });
  t.is(registers.get(PC), BigInt(RAM + 0x80000));
  t.is(bytes(RAM + 0x80000 + ARM64_FILE_BYTES - 1, 1)[0], 0x5a);
});

test('the initrd ends below the device tree, which says where it is', (t) => {
  const { bytes, tree } = boot();
  const { properties } = find(tree(), 'chosen');
  const start = Number(Buffer.from(properties['linux,initrd-start'] ?? []).readBigUInt64BE());
  const end = Number(Buffer.from(properties['linux,initrd-end'] ?? []).readBigUInt64BE());
  t.deepEqual([start, end], [RAM + 254 * MIB - 8192, RAM + 254 * MIB - 8192 + INITRD.length]);
  t.deepEqual(bytes(start, INITRD.length), INITRD);
  t.deepEqual(properties['rng-seed'], Uint8Array.of(1, 2, 3));
});

test('RAM that ends within 2 MiB leaves the device tree in its last whole ones', (t) => {
  t.is(boot({ ramBytes: 257 * MIB }).treeAt, RAM + 254 * MIB);
});

test('an initrd stays within the 32 GiB that the kernel looks at', (t) => {
  const { tree } = boot({ ramBytes: 64 * 1024 * MIB });
  const { properties } = find(tree(), 'chosen');
  const start = Number(Buffer.from(properties['linux,initrd-start'] ?? []).readBigUInt64BE());
  t.is(start, RAM + 32 * 1024 * MIB - 8192);
});

test('only the first vCPU is on, and each says by its MPIDR who it is', (t) => {
  const cpus = 18;
  const { called, tree } = boot({ cpus });
  const inits = called('initVcpu');
  t.deepEqual(inits[0], { vcpu: FIRST_VCPU, target: 5, features: [8 | 4, 0, 0, 0, 0, 0, 1] });
  t.true(inits.slice(1).every(({ features }) => features[0] === (8 | 4 | 1)));
  t.is(inits.length, cpus);
  t.true(called('getOneRegister').every(({ id }) => id === MPIDR));
  const names = find(tree(), 'cpus').children.map(({ name }) => name);
  t.deepEqual(
    [names[0], names[15], names[16], names[17]],
    ['cpu@0', 'cpu@f', 'cpu@100', 'cpu@101'],
  );
  t.is(called('run').length, cpus);
});

test('a GICv3 is made, placed and initialised after the vCPUs and before the first irqfd', (t) => {
  const { calls, called } = boot({ cpus: 2 });
  t.deepEqual(called('createDevice'), [{ vm: VM, type: 7 }]);
  const set = (group: number, attribute: bigint, value: bigint, hasValue = true) => ({
    device: GIC,
    group,
    attribute,
    value,
    hasValue,
  });
  t.deepEqual(called('setDeviceAttribute'), [
    set(0, 2n, 0x3fff0000n),
    set(0, 3n, 0x3ffb0000n),
    set(3, 0n, 128n),
    set(4, 0n, 0n, false),
  ]);
  const order = calls.map(({ name }) => name);
  t.true(order.lastIndexOf('createVcpu') < order.indexOf('createDevice'));
  t.true(order.lastIndexOf('setDeviceAttribute') < order.indexOf('irqfd'));
});

test('a host without a GICv3 gives a GICv2, and the device tree says so', (t) => {
  const { called, tree } = boot({ cpus: 8, kvm: GIC_V2 });
  t.deepEqual(
    called('createDevice').map(({ type }) => type),
    [7, 5],
  );
  t.deepEqual(
    called('setDeviceAttribute').map(({ group, attribute, value }) => [group, attribute, value]),
    [
      [0, 0n, 0x3ffff000n],
      [0, 1n, 0x3fffd000n],
      [3, 0n, 128n],
      [4, 0n, 0n],
    ],
  );
  t.notThrows(() => find(tree(), 'intc@3ffff000'));
});

test('a GICv2 does not do for nine vCPUs', (t) => {
  const error = t.throws(() => boot({ cpus: 9, kvm: GIC_V2 }), { instanceOf: UnsupportedError });
  t.regex(error?.message ?? '', /8 vCPUs, not 9.*--cpus/);
});

test('another failure of the GICv3 is no reason for an older one', (t) => {
  const createDevice = () => {
    throw new HalError('SYSCALL_FAILED', 'no memory', { errno: 12 });
  };
  const error = t.throws(() => boot({ kvm: { ...GIC_V3, createDevice } }), {
    instanceOf: HalError,
  });
  t.is(error?.errno, 12);
});

test('the serial port and the virtio slots have the interrupts that the device tree gives them', (t) => {
  const { tree, machine, inTurn, called } = boot();
  const device = { read: (_: number, size: number) => new Uint8Array(size), write: () => {} };
  const wiring = inTurn(() => machine.attachMmio({ slot: 0, notify: [], device }));
  const cells = (name: string) => {
    const interrupts = Buffer.from(find(tree(), name).properties['interrupts'] ?? []);
    return [0, 4, 8].map((at) => interrupts.readUInt32BE(at));
  };
  t.deepEqual(cells(`virtio_mmio@${wiring.address.toString(16)}`), [0, wiring.gsi, 1]);
  t.deepEqual(cells('serial@40000000'), [0, called('irqfd')[0].gsi, 1]);
});

for (const { what, given, code, says } of [
  {
    what: 'a kernel cut off',
    given: { kernel: kernelFile().subarray(0, 100_000) },
    code: 'TRUNCATED_IMAGE',
    says: /cut off/,
  },
  { what: 'no kernel at all', given: { kernel: INITRD }, code: 'BAD_KERNEL', says: /no kernel/ },
  {
    what: 'too little memory for the kernel',
    given: { ramBytes: 24 * MIB },
    code: 'TOO_LITTLE_MEMORY',
    says: /31 MiB of memory.*--memory/,
  },
  {
    what: 'too little memory for the initrd',
    given: { ramBytes: 30 * MIB, initrd: new Uint8Array(2 * MIB) },
    code: 'TOO_LITTLE_MEMORY',
    says: /initrd of 2 MiB will not fit: there must be 33 MiB/,
  },
  {
    what: 'a command line of 2,048 bytes',
    given: { commandLine: 'a'.repeat(2048) },
    code: 'BAD_KERNEL',
    says: /shorten/,
  },
] as const) {
  test(`${what} is refused with what to do`, (t) => {
    const error = t.throws(() => boot(given), { instanceOf: GuestImageError });
    t.is(error?.code, code);
    t.regex(error?.message ?? '', says);
  });
}

test('memory that just holds the kernel and the device tree will do without an initrd', (t) => {
  const ramBytes = Math.ceil(IMAGE_BYTES / TREE_BYTES) * TREE_BYTES + TREE_BYTES;
  t.notThrows(() => boot({ ramBytes, initrd: null }));
});

for (const size of [0, 4 * MIB, 8 * MIB + 1, 2 ** 40]) {
  test(`RAM of ${size} bytes cannot be laid out`, (t) => {
    t.throws(() => boot({ ramBytes: size }), { instanceOf: RangeError });
  });
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

for (const [type, kind] of [
  [1n, 'power-off'],
  [2n, 'reset'],
] as const) {
  test(`PSCI's system event ${type} is a ${kind}`, async (t) => {
    const { exit, ends } = boot();
    exit({ reason: 'system-event', detail: type });
    await settled();
    t.deepEqual(ends, [{ kind }]);
  });
}

test('a reset after a panic is the panic', async (t) => {
  const { exit, ends, lines } = boot();
  for (const byte of new TextEncoder().encode('[ 1.0] Kernel panic - not syncing: no init\n')) {
    const write = { address: 0x40000000, isWrite: true, data: Uint8Array.of(byte) };
    exit({ reason: 'mmio', ...write });
  }
  exit({ reason: 'system-event', detail: 2n });
  await settled();
  t.deepEqual(ends, [{ kind: 'panic', message: 'no init' }]);
  t.deepEqual(lines, ['[ 1.0] Kernel panic - not syncing: no init']);
});

test('what is typed is read from the serial port', (t) => {
  const { exit, machine, inTurn, called } = boot();
  const modemControl = { address: 0x40000004, isWrite: true, data: Uint8Array.of(0x0b) };
  exit({ reason: 'mmio', ...modemControl });
  inTurn(() => machine.type(Uint8Array.of(0x61)));
  exit({ reason: 'mmio', address: 0x40000000, data: new Uint8Array(1) });
  t.deepEqual(called('complete').at(-1).data, Uint8Array.of(0x61));
});
