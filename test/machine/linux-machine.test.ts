import test from 'ava';
import { GuestMemory } from '../../src/devices/virtio/guest-memory.js';
import { linuxBoot } from '../../src/machine/linux-boot.js';
import { GuestImageError } from '../../src/machine/linux-guest.js';
import { Machine, type MachineOptions } from '../../src/machine/machine.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import { bzImageHead, KERNEL_FILE_BYTES } from './fake-kernel.js';
import { FIRST_VCPU, MIB, makeHal } from './harness.js';

const INITRD = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff);
const COMMAND_LINE = 'console=ttyS0 panic=-1';
const ZERO_PAGE = 0x7000;
const SMALLEST_RAM = 0x1000000 + 0x3378000;

function kernelFile(changes: Readonly<Record<number, readonly number[]>> = {}): Uint8Array {
  const file = new Uint8Array(KERNEL_FILE_BYTES);
  file.set(bzImageHead(changes));
  file[40 * 512] = 0xfa;
  file[KERNEL_FILE_BYTES - 1] = 0x5a;
  return file;
}

interface Given {
  readonly ramBytes?: number;
  readonly cpus?: number;
  readonly kernel?: Uint8Array;
  readonly initrd?: Uint8Array | null;
  readonly commandLine?: string;
}

function boot(given: Given = {}) {
  const { kernel = kernelFile(), initrd = INITRD, commandLine = COMMAND_LINE } = given;
  const fixture = makeHal({ vmlinuz: kernel, ...(initrd === null ? {} : { initrd }) });
  const ends: VmEnd[] = [];
  const lines: string[] = [];
  const options: MachineOptions = {
    hal: fixture.hal,
    events: fixture.reactor,
    architecture: 'x86_64',
    ramBytes: given.ramBytes ?? 256 * MIB,
    cpus: given.cpus ?? 1,
    boot: linuxBoot('x86_64', {
      kernel: 'vmlinuz',
      initrd: initrd === null ? null : 'initrd',
      commandLine,
      virtioSlots: [0],
    }),
    onLine: (line) => lines.push(line),
    onEnd: (end) => ends.push(end),
  };
  const machine = fixture.inTurn(() => new Machine(options));
  fixture.start(() => machine.run());
  const bytes = (address: number, length: number): Uint8Array => {
    const into = new Uint8Array(length);
    fixture.inTurn(() => (machine.memory as GuestMemory).read(address, into));
    return into;
  };
  return { ...fixture, machine, ends, lines, bytes };
}

function zeroPage({ bytes }: ReturnType<typeof boot>) {
  const page = bytes(ZERO_PAGE, 4096);
  const view = new DataView(page.buffer);
  const map = Array.from({ length: page[0x1e8] ?? 0 }, (_, index) => {
    const at = 0x2d0 + index * 20;
    return [
      Number(view.getBigUint64(at, true)),
      Number(view.getBigUint64(at + 8, true)),
      view.getUint32(at + 16, true),
    ];
  });
  return { page, view, map };
}

test('the protected-mode part is at 1 MiB, entered at its 64-bit entry with the zero page', (t) => {
  const run = boot();
  t.is(run.bytes(0x100000, 1)[0], 0xfa);
  t.is(run.bytes(0x100000 + KERNEL_FILE_BYTES - 40 * 512 - 1, 1)[0], 0x5a);
  const [{ registers }] = run.called('setRegisters');
  t.is(registers.rip, 0x100200n);
  t.is(registers.rsi, BigInt(ZERO_PAGE));
});

test('the zero page has the setup header, command line, initrd, RSDP and the memory map', (t) => {
  const run = boot();
  const { page, view, map } = zeroPage(run);
  t.deepEqual(page.slice(0x1f1, 0x210), kernelFile().slice(0x1f1, 0x210));
  t.is(page[0x210], 0xff);
  t.is(view.getUint32(0x228, true), 0x20000);
  t.deepEqual(
    run.bytes(0x20000, COMMAND_LINE.length + 1),
    new TextEncoder().encode(`${COMMAND_LINE}\0`),
  );
  const [address, size] = [view.getUint32(0x218, true), view.getUint32(0x21c, true)];
  t.is(size, INITRD.length);
  t.is(address, 256 * MIB - 8192);
  t.deepEqual(run.bytes(address, size), INITRD);
  const rsdp = view.getUint32(0x70, true);
  t.is(Buffer.from(run.bytes(rsdp, 8)).toString(), 'RSD PTR ');
  t.deepEqual(map, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x60400, 2],
    [0x100000, 255 * MIB, 1],
  ]);
});

test('RAM above 4 GiB is in the memory map, and an initrd stays where the kernel can read it', (t) => {
  const run = boot({ ramBytes: 5 * 1024 * MIB });
  const { view, map } = zeroPage(run);
  t.deepEqual(map.slice(2), [
    [0x100000, 0xc0000000 - 0x100000, 1],
    [2 ** 32, 2 * 1024 * MIB, 1],
  ]);
  t.is(view.getUint32(0x218, true), 0x80000000 - 8192);
});

test('each vCPU has its own APIC id; only the first is pointed at the kernel', (t) => {
  const { called } = boot({ cpus: 4 });
  t.deepEqual(
    called('createVcpu').map(({ id }) => id),
    [0, 1, 2, 3],
  );
  t.deepEqual(
    called('setCpuid').map(({ entries }) => entries[0].ebx >>> 24),
    [0, 1, 2, 3],
  );
  t.deepEqual(
    called('setRegisters').map(({ vcpu }) => vcpu),
    [FIRST_VCPU],
  );
  t.is(called('setMsrs').length, 4);
  t.is(called('run').length, 4);
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
    given: { ramBytes: 64 * MIB },
    code: 'TOO_LITTLE_MEMORY',
    says: /68 MiB/,
  },
  {
    what: 'too little memory for the initrd',
    given: { ramBytes: SMALLEST_RAM },
    code: 'TOO_LITTLE_MEMORY',
    says: /--memory/,
  },
  {
    what: 'an empty initrd',
    given: { initrd: new Uint8Array(0) },
    code: 'TRUNCATED_IMAGE',
    says: /empty/,
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

test('memory that just holds the kernel will do without an initrd', (t) => {
  t.notThrows(() => boot({ ramBytes: SMALLEST_RAM, initrd: null }));
});

const write = (run: ReturnType<typeof boot>, address: number, ...data: number[]): void =>
  run.exit({ address, isWrite: true, data: Uint8Array.from(data) });

/** What the guest's driver would write, byte by byte. */
function print(run: ReturnType<typeof boot>, text: string): void {
  for (const byte of new TextEncoder().encode(text)) write(run, 0x3f8, byte);
}

for (const { what, act, end } of [
  { what: 'soft off by ACPI', act: [0x600, 0x34], end: { kind: 'power-off' } },
  { what: 'a reset by ACPI', act: [0x602, 1], end: { kind: 'reset' } },
  { what: 'a pulse of the keyboard controller', act: [0x64, 0xfe], end: { kind: 'reset' } },
] as const) {
  test(`${what} ends the machine as that`, async (t) => {
    const run = boot();
    write(run, act[0], act[1]);
    await new Promise(setImmediate);
    t.deepEqual(run.machine.end, end);
  });
}

test('other writes to the power ports do nothing', async (t) => {
  const run = boot();
  for (const [port, value] of [
    [0x600, 0x20],
    [0x600, 5 << 2],
    [0x602, 2],
    [0x64, 0xd1],
    [0x601, 0xff],
  ] as const) {
    write(run, port, value);
    await new Promise(setImmediate);
  }
  t.is(run.machine.end, undefined);
});

test('a panic, and then a reset: the panic is why the machine ended', async (t) => {
  const run = boot();
  print(run, '[    1.0] Kernel panic - not syncing: Attempted to kill init!\n');
  write(run, 0x64, 0xfe);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(run.machine.end, { kind: 'panic', message: 'Attempted to kill init!' });
  t.is(run.lines.length, 1);
});

test('a panic of a kernel that then stays ends the machine too', async (t) => {
  const run = boot();
  print(run, '[    1.0] Kernel panic - not syncing: no init\n');
  print(run, '[    1.1] ---[ end Kernel panic - not syncing: no init ]---\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(run.machine.end, { kind: 'panic', message: 'no init' });
});
