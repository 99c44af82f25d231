import { BlockDevice } from '../../../src/devices/block/block-device.js';
import { blockTransport } from '../../../src/devices/block/transport.js';
import type { VirtioFrontend } from '../../../src/devices/virtio/backend.js';
import { GuestFaults } from '../../../src/devices/virtio/guest-faults.js';
import { GuestMemory } from '../../../src/devices/virtio/guest-memory.js';
import { InterruptLine } from '../../../src/devices/virtio/interrupt.js';
import type { HalOf } from '../../../src/hal/contract/define.js';
import type { Disk } from '../../../src/hal/disk.js';
import { simulatedDisk } from '../../../src/hal/simulated/disk.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { type Buffer, DriverQueue, MmioDriver } from '../driver-model.js';
import { makeRam, PAGE } from '../harness.js';

export const SECTOR = 512;
/** The disk ends in the middle of a sector. */
export const DISK_SECTORS = 200;
export const DISK_BYTES = DISK_SECTORS * SECTOR + 100;

const RINGS = 0x100000;
const HEADERS = 0x120000;
const STATUSES = 0x128000;
export const DATA = 0x200000;

export const [IN, OUT, FLUSH, GET_ID, DISCARD] = [0, 1, 4, 8, 11] as const;
export const [OK, IOERR, UNSUPP] = [0, 1, 2] as const;
/** What a status byte holds before the device writes it. */
export const UNTOUCHED = 0xcc;

/** Bytes of which no sector is like another. */
export function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 9) * 31 + seed) & 0xff);
}

export interface MachineOptions {
  readonly readOnly?: boolean;
  readonly image?: Uint8Array;
  readonly id?: string;
  /** Replaces some of the calls of the disk. */
  readonly broken?: Partial<HalOf<typeof Disk>>;
}

export type BlockMachine = ReturnType<typeof makeBlockMachine>;

/** A guest's memory, a disk behind its registers, and the driver's side of both. */
export function makeBlockMachine(options: MachineOptions = {}) {
  const { readOnly = false, image = pattern(DISK_BYTES) } = options;
  const handles = new HandleSpace();
  const mmap = simulatedMemory({ handles }).create({});
  const whole = simulatedDisk({ handles, images: new Map([['root', image]]) }).create({});
  const { disk, size } = whole.open({ name: 'root', readOnly });
  const calls: string[] = [];
  const noted: HalOf<typeof Disk> = new Proxy(
    { ...whole, ...options.broken },
    {
      get: (target, name) => (args: never) => {
        calls.push(String(name));
        return (target[name as keyof HalOf<typeof Disk>] as (args: never) => unknown)(args);
      },
    },
  );
  const eventFds = simulatedEventFd({ handles });
  const eventFd = eventFds.create({ signalled: () => {} });
  const ram = makeRam(mmap);
  const page = mmap.createRegion({ name: 'interrupt status', size: PAGE });
  const irq = eventFd.create({ name: 'irq' });
  const wiring = { region: page, offset: 0, eventfd: irq };
  const interrupt = new InterruptLine(mmap, eventFd, wiring);
  const faults = new GuestFaults();
  const shape = { sizeBytes: size, readOnly };
  const transport = blockTransport({ interrupt, shape, faults });
  const queue = new DriverQueue(mmap, ram[0]?.region ?? 0, RINGS, 256);
  /** How far the used index was at each interrupt. */
  const interruptedAt: number[] = [];
  const frontend: VirtioFrontend = {
    usedBuffer: () => {
      interruptedAt.push(queue.usedIndex);
      transport.usedBuffer();
    },
    configChanged: (offset, bytes) => transport.configChanged(offset, bytes),
    needsReset: () => transport.needsReset(),
  };
  const idOption = options.id === undefined ? {} : { id: options.id };
  const newDevice = () =>
    new BlockDevice({ mmap, disks: noted, disk, shape, ram, frontend, faults, ...idOption });
  const device = newDevice();
  transport.connect(device);
  return {
    mmap,
    ram,
    guest: new GuestMemory(mmap, ram),
    image,
    transport,
    device,
    newDevice,
    faults,
    calls,
    interruptedAt,
    interrupts: () => eventFds.take(irq),
    driver: new MmioDriver(transport),
    queue,
    posted: { count: 0 },
  };
}

/** Brings the driver up. */
export function boot(machine: BlockMachine, wantedLow = 0xffffffff): void {
  machine.driver.negotiate(wantedLow);
  machine.driver.setUpQueue(0, machine.queue.layout);
  machine.driver.writeStatus(0xf);
}

export function bootedMachine(options: MachineOptions = {}): BlockMachine {
  const machine = makeBlockMachine(options);
  boot(machine);
  return machine;
}

/** Puts a request's header into memory, and takes a place for its status. */
export function frame(machine: BlockMachine, type: number, sector: number) {
  const slot = machine.posted.count++ % 512;
  const header = { address: HEADERS + slot * 16, length: 16 };
  const status = { address: STATUSES + slot, length: 1, writable: true };
  const words = Uint32Array.of(type, 0, sector % 2 ** 32, Math.floor(sector / 2 ** 32));
  machine.guest.writeU32Array(header.address, words);
  machine.guest.write(status.address, Uint8Array.of(UNTOUCHED));
  return { header, status };
}

export interface Outcome {
  readonly status: number | undefined;
  /** Of the used element; undefined if the chain was not given back. */
  readonly length: number | undefined;
}

/** What became of a chain. */
export function outcomeOf(machine: BlockMachine, head: number, statusAddress: number): Outcome {
  const used = machine.queue.takeUsed().find((element) => element.id === head);
  return { status: bytesAt(machine, statusAddress, 1)[0], length: used?.length };
}

/** Posts one request, kicks, and says what became of it. */
export function request(
  machine: BlockMachine,
  type: number,
  sector: number,
  ...data: readonly Buffer[]
): Outcome {
  const { header, status } = frame(machine, type, sector);
  const head = machine.queue.post(header, ...data, status);
  machine.driver.kick(0);
  return outcomeOf(machine, head, status.address);
}

/** A buffer that the device may read, with this content. */
export function sent(machine: BlockMachine, data: Uint8Array, address = DATA): Buffer {
  machine.guest.write(address, data);
  return { address, length: data.length };
}

/** A buffer that the device may write. */
export function room(length: number, address = DATA): Buffer {
  return { address, length, writable: true };
}

export function bytesAt(machine: BlockMachine, address: number, length: number): Uint8Array {
  const into = new Uint8Array(length);
  machine.guest.read(address, into);
  return into;
}

export interface DiscardSegment {
  readonly sector: number;
  readonly sectors: number;
  readonly flags?: number;
}

export function discardList(...segments: readonly DiscardSegment[]): Uint8Array {
  const bytes = new Uint8Array(segments.length * 16);
  const view = new DataView(bytes.buffer);
  segments.forEach(({ sector, sectors, flags = 0 }, index) => {
    view.setUint32(index * 16, sector % 2 ** 32, true);
    view.setUint32(index * 16 + 4, Math.floor(sector / 2 ** 32), true);
    view.setUint32(index * 16 + 8, sectors, true);
    view.setUint32(index * 16 + 12, flags, true);
  });
  return bytes;
}
