import test from 'ava';
import fc from 'fast-check';
import type { Buffer } from '../driver-model.js';
import { HIGH, LOW_END, MIB } from '../harness.js';
import {
  type BlockMachine,
  bootedMachine,
  bytesAt,
  DATA,
  DISCARD,
  DISK_BYTES,
  DISK_SECTORS,
  discardList,
  FLUSH,
  frame,
  GET_ID,
  IN,
  IOERR,
  OK,
  OUT,
  type Outcome,
  outcomeOf,
  pattern,
  SECTOR,
  UNSUPP,
} from './harness.js';

interface Area {
  readonly start: number;
  readonly length: number;
}

/** Where data may lie: within a part, over two regions, at the end of low RAM, and high up. */
const AREAS: readonly Area[] = [
  { start: DATA, length: 8192 },
  { start: 16 * MIB - 4096, length: 8192 },
  { start: LOW_END - 4096, length: 4096 },
  { start: HIGH, length: 8192 },
];

/** The memory, the disk and the device as the specification has them, as simply as that can be said. */
class Model {
  readonly memory = AREAS.map(({ length }, at) => pattern(length, at));
  readonly disk = pattern(DISK_BYTES);

  isRam({ address, length }: Buffer): boolean {
    if (length === 0) return true;
    const end = address + length;
    return end <= LOW_END || (address >= HIGH && end <= HIGH + 8 * MIB);
  }

  byte(address: number): { area: Uint8Array; at: number } {
    const index = AREAS.findIndex(
      ({ start, length }) => address >= start && address < start + length,
    );
    const area = this.memory[index];
    if (area === undefined) throw new Error(`the test has no memory at ${address}`);
    return { area, at: address - (AREAS[index]?.start ?? 0) };
  }

  addresses(buffers: readonly Buffer[]): number[] {
    return buffers.flatMap(({ address, length }) =>
      Array.from({ length }, (_, index) => address + index),
    );
  }

  request(type: number, sector: number, buffers: readonly Buffer[]): Outcome {
    const failed = { status: IOERR, length: 1 };
    const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
    const offset = sector * SECTOR;
    const isGood =
      buffers.every((buffer) => this.isRam(buffer)) &&
      bytes % SECTOR === 0 &&
      offset + bytes <= DISK_SECTORS * SECTOR;
    switch (type) {
      case FLUSH:
        return { status: OK, length: 1 };
      case IN:
        if (!isGood) return failed;
        this.addresses(buffers).forEach((address, index) => {
          const { area, at } = this.byte(address);
          area[at] = this.disk[offset + index] ?? 0;
        });
        return { status: OK, length: bytes + 1 };
      case OUT:
        if (!isGood) return failed;
        this.addresses(buffers).forEach((address, index) => {
          const { area, at } = this.byte(address);
          this.disk[offset + index] = area[at] ?? 0;
        });
        return { status: OK, length: 1 };
      case GET_ID:
        if (bytes !== 20 || !buffers.every((buffer) => this.isRam(buffer))) return failed;
        this.addresses(buffers).forEach((address, index) => {
          const { area, at } = this.byte(address);
          area[at] = 'halyard'.charCodeAt(index) || 0;
        });
        return { status: OK, length: 21 };
      default:
        return { status: UNSUPP, length: 1 };
    }
  }
}

const goodBuffer = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.constantFrom(...AREAS).chain((area) =>
    fc.tuple(fc.nat(area.length - 1), fc.nat(maxLength)).map(([at, length]) => ({
      address: area.start + at,
      length: Math.min(length, area.length - at),
    })),
  );
const badBuffer: fc.Arbitrary<Buffer> = fc.record({
  address: fc.constantFrom(LOW_END - 1, LOW_END, HIGH - 1, HIGH + 8 * MIB, 2 ** 53, 2 ** 60),
  length: fc.integer({ min: 2, max: 600 }),
});

/** Buffers that are often whole sectors together: the last one fills up, if it can. */
const buffers = fc
  .tuple(
    fc.array(fc.oneof({ weight: 12, arbitrary: goodBuffer(1500) }, badBuffer), { maxLength: 4 }),
    fc.boolean(),
  )
  .map(([list, isFilledUp]) => {
    const bytes = list.reduce((sum, { length }) => sum + length, 0);
    const missing = (SECTOR - (bytes % SECTOR)) % SECTOR;
    return isFilledUp ? [...list, { address: DATA + 64, length: missing }] : list;
  });

interface Request {
  readonly type: number;
  readonly sector: number;
  readonly buffers: readonly Buffer[];
  /** Where the header is cut in two. */
  readonly cut: number;
  readonly kick: boolean;
}

const request: fc.Arbitrary<Request> = fc.record({
  type: fc.oneof(fc.constantFrom(IN, OUT, FLUSH, GET_ID), fc.constantFrom(IN, OUT), fc.nat(20)),
  sector: fc.oneof(
    { weight: 8, arbitrary: fc.nat(DISK_SECTORS + 2) },
    fc.constantFrom(2 ** 32, 2 ** 55, 2 ** 63),
  ),
  buffers,
  cut: fc.nat(16),
  kick: fc.boolean(),
});

function post(machine: BlockMachine, { type, sector, buffers: data, cut }: Request) {
  const { header, status } = frame(machine, type, sector);
  const writable = type !== OUT;
  const head = machine.queue.post(
    { address: header.address, length: cut },
    { address: header.address + cut, length: 16 - cut },
    ...data.map((buffer) => ({ ...buffer, writable })),
    status,
  );
  return { head, status: status.address };
}

test('random requests do to disk and memory what the model says', (t) => {
  const property = fc.property(fc.array(request, { maxLength: 20 }), (all) => {
    // Discards are tested by themselves: what they leave behind is the host's affair.
    const requests = all.filter(({ type }) => type !== DISCARD);
    const machine = bootedMachine();
    const model = new Model();
    AREAS.forEach(({ start }, at) => {
      machine.guest.write(start, model.memory[at] ?? new Uint8Array(0));
    });
    const waiting: { head: number; status: number; wanted: Outcome }[] = [];
    const check = () => {
      machine.driver.kick(0);
      const used = machine.queue.takeUsed();
      t.deepEqual(
        used.map(({ id, length }) => ({ id, length })),
        waiting.map(({ head, wanted }) => ({ id: head, length: wanted.length })),
      );
      for (const { status, wanted } of waiting) {
        t.is(bytesAt(machine, status, 1)[0], wanted.status);
      }
      waiting.length = 0;
    };
    for (const one of requests) {
      const { head, status } = post(machine, one);
      const wanted = model.request(one.type, one.sector, one.buffers);
      waiting.push({ head, status, wanted });
      if (one.kick) check();
    }
    check();
    t.true(Buffer.from(machine.image).equals(model.disk));
    AREAS.forEach(({ start, length }, at) => {
      const found = bytesAt(machine, start, length);
      t.true(Buffer.from(found).equals(model.memory[at] ?? found), `memory at ${start}`);
    });
  });
  fc.assert(property, { numRuns: 60 });
});

const descriptor = fc.record({
  address: fc.oneof(
    fc.nat(LOW_END + 100_000),
    fc.constantFrom(HIGH, HIGH - 4, 16 * MIB - 9, 2 ** 63),
    fc.nat(16).map((at) => DATA + at * 16),
  ),
  length: fc.oneof(fc.constantFrom(0, 1, 16, 17, 512, 513, 528, 1024, 0xffffffff), fc.nat(5000)),
  flags: fc.oneof({ weight: 10, arbitrary: fc.nat(3) }, fc.nat(7)),
  next: fc.oneof({ weight: 10, arbitrary: fc.nat(31) }, fc.nat(0xffff)),
});

test('random rings: every chain is given back once, and nothing else happens', (t) => {
  const rings = fc.record({
    descriptors: fc.array(descriptor, { minLength: 32, maxLength: 32 }),
    heads: fc.array(fc.oneof({ weight: 20, arbitrary: fc.nat(31) }, fc.constant(256)), {
      maxLength: 40,
    }),
    headers: fc.array(fc.record({ type: fc.nat(14), sector: fc.nat(DISK_SECTORS) }), {
      minLength: 16,
      maxLength: 16,
    }),
  });
  const property = fc.property(rings, ({ descriptors, heads, headers }) => {
    const machine = bootedMachine();
    headers.forEach(({ type, sector }, at) => {
      machine.guest.writeU32Array(DATA + at * 16, Uint32Array.of(type, 0, sector, 0));
    });
    descriptors.forEach(({ address, length, flags, next }, index) => {
      machine.queue.writeDescriptor(index, address, length, flags, next);
    });
    for (const head of heads) machine.queue.pushHead(head);
    // A call that reaches outside would throw: OUT_OF_BOUNDS is no fault of a guest.
    machine.driver.kick(0);
    const given = heads.filter((head) => head < 256);
    // A read may have gone over the ring: then the index is what it always is, and the rest the guest's.
    t.is(machine.queue.usedIndex, given.length);
    t.true(machine.device.isActive);
    t.is(machine.device.metrics.requests, given.length);
  });
  fc.assert(property, { numRuns: 120 });
});

test('random discards zero their segments or nothing', (t) => {
  const segment = fc.record({
    sector: fc.nat(DISK_SECTORS),
    sectors: fc.nat(20),
    flags: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(1)),
  });
  const property = fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
    const machine = bootedMachine();
    const wanted = machine.image.slice();
    const firstBad = segments.find(
      ({ sector, sectors, flags }) => flags !== 0 || sector + sectors > DISK_SECTORS,
    );
    if (firstBad === undefined) {
      for (const { sector, sectors } of segments) {
        wanted.fill(0, sector * SECTOR, (sector + sectors) * SECTOR);
      }
    }
    const { header, status } = frame(machine, DISCARD, 0);
    const list = discardList(...segments);
    machine.guest.write(DATA, list);
    const cut = Math.floor(list.length / 3);
    const head = machine.queue.post(
      header,
      { address: DATA, length: cut },
      { address: DATA + cut, length: list.length - cut },
      status,
    );
    machine.driver.kick(0);
    const expected = firstBad === undefined ? OK : firstBad.flags === 0 ? IOERR : UNSUPP;
    t.deepEqual(outcomeOf(machine, head, status.address), { status: expected, length: 1 });
    t.true(Buffer.from(machine.image).equals(wanted));
  });
  fc.assert(property, { numRuns: 60 });
});
