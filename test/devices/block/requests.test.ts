import test from 'ava';
import { HalError } from '../../../src/hal/contract/errors.js';
import { HIGH, LOW_END, MIB } from '../harness.js';
import {
  boot,
  bootedMachine,
  bytesAt,
  DATA,
  DISCARD,
  DISK_SECTORS,
  discardList,
  FLUSH,
  frame,
  GET_ID,
  IN,
  IOERR,
  makeBlockMachine,
  OK,
  OUT,
  outcomeOf,
  pattern,
  request,
  room,
  SECTOR,
  sent,
  UNSUPP,
} from './harness.js';

const FEATURE_FLUSH = 1 << 9;

test('registers and config space say what the disk is', (t) => {
  const { driver, transport } = makeBlockMachine();
  t.is(driver.read32(0x08), 2);
  driver.write32(0x14, 0);
  t.is(driver.read32(0x10), (1 << 1) | (1 << 2) | (1 << 6) | (1 << 9) | (1 << 13));
  driver.write32(0x14, 1);
  t.is(driver.read32(0x10), 1);
  t.is(driver.queueMax(0), 256);
  t.is(driver.queueMax(1), 0);
  const config = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44];
  t.deepEqual(
    config.map((offset) => driver.read32(0x100 + offset)),
    [DISK_SECTORS, 0, 131_072, 126, 0, 512, 0, 0, 0, 4_194_304, 16, 8],
  );
  t.is(transport.config.length, 48);
});

test('a read-only disk says so and has nothing to discard', (t) => {
  const { driver } = makeBlockMachine({ readOnly: true });
  driver.write32(0x14, 0);
  t.is(driver.read32(0x10), (1 << 1) | (1 << 2) | (1 << 5) | (1 << 6) | (1 << 9));
  t.deepEqual(
    [36, 40, 44].map((offset) => driver.read32(0x100 + offset)),
    [0, 0, 0],
  );
});

test('a read fills the guest memory, and its used length has the status in it', (t) => {
  const machine = bootedMachine();
  t.deepEqual(request(machine, IN, 3, room(4 * SECTOR)), { status: OK, length: 4 * SECTOR + 1 });
  t.deepEqual(bytesAt(machine, DATA, 4 * SECTOR), machine.image.slice(3 * SECTOR, 7 * SECTOR));
  t.deepEqual(machine.calls, ['readInto']);
  t.is(machine.interrupts(), 1);
  t.is(machine.driver.read32(0x60), 1);
});

test('a write changes the disk and nothing beside it', (t) => {
  const machine = bootedMachine();
  const wanted = machine.image.slice();
  const data = pattern(2 * SECTOR, 77);
  wanted.set(data, 5 * SECTOR);
  t.deepEqual(request(machine, OUT, 5, sent(machine, data)), { status: OK, length: 1 });
  t.deepEqual(machine.image, wanted);
  t.deepEqual(machine.calls, ['writeFrom'], 'a driver that can flush does so itself');
});

test('the first and the last sector, and nothing at the very end', (t) => {
  const machine = bootedMachine();
  t.is(request(machine, IN, DISK_SECTORS - 1, room(SECTOR)).status, OK);
  t.deepEqual(
    bytesAt(machine, DATA, SECTOR),
    machine.image.slice((DISK_SECTORS - 1) * SECTOR, DISK_SECTORS * SECTOR),
  );
  t.is(request(machine, IN, 0, room(DISK_SECTORS * SECTOR)).status, OK);
  t.deepEqual(request(machine, IN, DISK_SECTORS), { status: OK, length: 1 });
  t.is(request(machine, IN, DISK_SECTORS, room(SECTOR)).status, IOERR);
});

test('a flush flushes, whatever its sector and its data', (t) => {
  const machine = bootedMachine();
  t.deepEqual(request(machine, FLUSH, 0), { status: OK, length: 1 });
  t.deepEqual(request(machine, FLUSH, 2 ** 40, sent(machine, pattern(7))), {
    status: OK,
    length: 1,
  });
  t.deepEqual(machine.calls, ['flush', 'flush']);
  t.is(machine.device.metrics.flushes, 2);
});

test('without FLUSH, a write is on stable storage before it is answered', (t) => {
  const machine = makeBlockMachine();
  boot(machine, 0xffffffff & ~FEATURE_FLUSH);
  request(machine, OUT, 0, sent(machine, pattern(SECTOR)));
  request(machine, IN, 0, room(SECTOR));
  t.deepEqual(machine.calls, ['writeFrom', 'flush', 'readInto']);
});

test('the id has 20 bytes, padded or cut', (t) => {
  const ascii = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  const short = bootedMachine({ id: 'disk-1' });
  short.guest.write(DATA, pattern(32, 9));
  t.deepEqual(request(short, GET_ID, 0, room(20)), { status: OK, length: 21 });
  t.is(ascii(bytesAt(short, DATA, 20)), 'disk-1'.padEnd(20, '\0'));
  t.deepEqual(bytesAt(short, DATA + 20, 12), pattern(32, 9).slice(20));
  const long = bootedMachine({ id: '0123456789abcdefghijKLM' });
  request(long, GET_ID, 0, room(7), room(13, DATA + 100));
  t.is(ascii(bytesAt(long, DATA, 7)), '0123456');
  t.is(ascii(bytesAt(long, DATA + 100, 13)), '789abcdefghij');
});

test('a discard gives up all its segments', (t) => {
  const machine = bootedMachine();
  const wanted = machine.image.slice();
  wanted.fill(0, 8 * SECTOR, 16 * SECTOR);
  wanted.fill(0, (DISK_SECTORS - 1) * SECTOR, DISK_SECTORS * SECTOR);
  const list = discardList({ sector: 8, sectors: 8 }, { sector: DISK_SECTORS - 1, sectors: 1 });
  t.deepEqual(request(machine, DISCARD, 0, sent(machine, list)), { status: OK, length: 1 });
  t.deepEqual(machine.image, wanted);
});

test('a discard that is not right in every segment does nothing', (t) => {
  const machine = bootedMachine();
  const good = { sector: 0, sectors: 8 };
  const cases: [Uint8Array, number][] = [
    [discardList(good, { sector: DISK_SECTORS, sectors: 1 }), IOERR],
    [discardList(good, { sector: 2 ** 63, sectors: 1 }), IOERR],
    [discardList(good, { sector: 0, sectors: 4_194_305 }), IOERR],
    [discardList(good, { sector: 8, sectors: 8, flags: 1 }), UNSUPP],
    [discardList(good, { sector: 8, sectors: 8, flags: 0x8000_0000 }), UNSUPP],
    [discardList(...Array.from({ length: 17 }, () => good)), IOERR],
    [discardList(good).subarray(0, 15), IOERR],
    [new Uint8Array(0), IOERR],
  ];
  for (const [list, status] of cases) {
    t.deepEqual(request(machine, DISCARD, 0, sent(machine, list)), { status, length: 1 });
  }
  t.deepEqual(machine.calls, []);
  t.is(machine.faults.of('block-range'), 2);
  t.is(machine.faults.of('block-over-limit'), 1);
  t.is(machine.faults.of('block-unsupported'), 2);
  t.is(machine.faults.of('block-length'), 3);
});

test('a request of another type is unsupported', (t) => {
  const machine = bootedMachine();
  for (const type of [2, 3, 5, 9, 10, 13, 14, 16, 0x8000_0001, 0xffff_ffff]) {
    const outcome = request(machine, type, 0, sent(machine, pattern(SECTOR)));
    t.deepEqual(outcome, { status: UNSUPP, length: 1 });
  }
  t.is(machine.faults.of('block-unsupported'), 10);
  t.deepEqual(machine.calls, []);
});

test('a read-only disk refuses writes and knows no discard', (t) => {
  const machine = bootedMachine({ readOnly: true });
  const data = sent(machine, pattern(SECTOR, 5));
  t.deepEqual(request(machine, OUT, 0, data), { status: IOERR, length: 1 });
  t.is(machine.faults.of('block-read-only'), 1);
  const list = sent(machine, discardList({ sector: 0, sectors: 8 }));
  t.deepEqual(request(machine, DISCARD, 0, list), { status: UNSUPP, length: 1 });
  t.is(request(machine, IN, 0, room(SECTOR)).status, OK);
  t.deepEqual(machine.calls, ['readInto']);
});

test('one interrupt for all that was drained, when the used index has moved', (t) => {
  const machine = bootedMachine();
  const statuses = Array.from({ length: 10 }, (_, index) => {
    const { header, status } = frame(machine, IN, index);
    machine.queue.post(header, room(SECTOR, DATA + index * SECTOR), status);
    return status.address;
  });
  machine.driver.kick(0);
  t.deepEqual(machine.interruptedAt, [10]);
  t.is(machine.interrupts(), 1);
  t.deepEqual(
    statuses.map((address) => bytesAt(machine, address, 1)[0]),
    new Array(10).fill(OK),
  );
  t.deepEqual(bytesAt(machine, DATA, 10 * SECTOR), machine.image.slice(0, 10 * SECTOR));
  machine.queue.setAvailFlags(1);
  request(machine, FLUSH, 0);
  t.is(machine.interrupts(), 0, 'the driver wants none');
});

test('how the driver cuts a request into descriptors has no meaning', (t) => {
  const machine = bootedMachine();
  const { header, status } = frame(machine, IN, 2);
  const { address } = header;
  const head = machine.queue.post(
    { address, length: 5 },
    { address: 0, length: 0 },
    { address: address + 5, length: 1 },
    { address: address + 6, length: 10 },
    room(100),
    room(0, 2 ** 60),
    room(411, DATA + 1000),
    // The last byte of data and the status are neighbours.
    room(2, status.address - 1),
    room(0, 2 ** 60),
  );
  machine.driver.kick(0);
  t.deepEqual(outcomeOf(machine, head, status.address), { status: OK, length: SECTOR + 1 });
  const sector = machine.image.slice(2 * SECTOR, 3 * SECTOR);
  t.deepEqual(bytesAt(machine, DATA, 100), sector.slice(0, 100));
  t.deepEqual(bytesAt(machine, DATA + 1000, 411), sector.slice(100, 511));
  t.deepEqual(bytesAt(machine, status.address - 1, 1), sector.slice(511));

  // Header and data of a write in one descriptor.
  const write = frame(machine, OUT, 4);
  machine.guest.write(DATA, bytesAt(machine, write.header.address, 16));
  machine.guest.write(DATA + 16, pattern(SECTOR, 3));
  const second = machine.queue.post({ address: DATA, length: 16 + SECTOR }, write.status);
  machine.driver.kick(0);
  t.deepEqual(outcomeOf(machine, second, write.status.address), { status: OK, length: 1 });
  t.deepEqual(machine.image.slice(4 * SECTOR, 5 * SECTOR), pattern(SECTOR, 3));
});

test('data over two parts of RAM goes to both, and in one region in one call', (t) => {
  const machine = bootedMachine();
  const border = 16 * MIB - 700;
  t.deepEqual(request(machine, IN, 10, room(3 * SECTOR, border)), {
    status: OK,
    length: 3 * SECTOR + 1,
  });
  t.deepEqual(bytesAt(machine, border, 3 * SECTOR), machine.image.slice(10 * SECTOR, 13 * SECTOR));
  t.deepEqual(machine.calls, ['readInto', 'readInto']);
  const data = pattern(3 * SECTOR, 50);
  t.is(request(machine, OUT, 20, sent(machine, data, border)).status, OK);
  t.deepEqual(machine.image.slice(20 * SECTOR, 23 * SECTOR), data);
  machine.calls.length = 0;
  const scattered = [room(300, DATA), room(200, HIGH + 5), room(12, DATA + 300)];
  t.is(request(machine, IN, 30, ...scattered).status, OK);
  t.deepEqual(machine.calls, ['readInto'], 'low and high RAM are one region');
  t.deepEqual(
    bytesAt(machine, HIGH + 5, 200),
    machine.image.slice(30 * SECTOR + 300, 30 * SECTOR + 500),
  );
});

test('neighbouring offsets of different regions are no neighbours', (t) => {
  const machine = bootedMachine();
  const halves = [room(256, 16 * MIB + DATA), room(256, DATA + 256)];
  t.is(request(machine, IN, 9, ...halves).status, OK);
  t.deepEqual(machine.calls, ['readInto', 'readInto']);
  const sector = machine.image.slice(9 * SECTOR, 10 * SECTOR);
  t.deepEqual(bytesAt(machine, 16 * MIB + DATA, 256), sector.slice(0, 256));
  t.deepEqual(bytesAt(machine, DATA + 256, 256), sector.slice(256));
});

test('the largest request that size_max and seg_max allow', (t) => {
  const machine = bootedMachine({ image: pattern(40 * MIB) });
  const bytes = 126 * 131_072;
  const buffers = Array.from({ length: 126 }, (_, at) => room(131_072, (2 + (at % 16)) * MIB));
  t.deepEqual(request(machine, IN, 0, ...buffers), { status: OK, length: bytes + 1 });
  const over = [...buffers, room(SECTOR, 2 * MIB)];
  t.deepEqual(request(machine, IN, 0, ...over), { status: IOERR, length: 1 });
  t.is(machine.faults.of('block-over-limit'), 1);
  t.is(machine.device.metrics.readBytes, bytes);
});

function hostError(errno: number, syscall: string): () => never {
  return () => {
    throw new HalError('SYSCALL_FAILED', `${syscall} failed`, { errno, syscall });
  };
}

test('what the host refuses is an error of the request, and the next one goes on', (t) => {
  const broken = {
    readInto: hostError(5, 'pread64'),
    writeFrom: hostError(28, 'pwrite64'),
    flush: hostError(5, 'fdatasync'),
    discard: hostError(95, 'fallocate'),
  };
  const machine = bootedMachine({ broken });
  const failed = { status: IOERR, length: 1 };
  t.deepEqual(request(machine, IN, 0, room(SECTOR)), failed);
  t.deepEqual(request(machine, OUT, 0, sent(machine, pattern(SECTOR))), failed);
  t.deepEqual(request(machine, FLUSH, 0), failed);
  const list = sent(machine, discardList({ sector: 0, sectors: 8 }));
  t.deepEqual(request(machine, DISCARD, 0, list), { status: UNSUPP, length: 1 }, 'EOPNOTSUPP');
  t.is(request(machine, GET_ID, 0, room(20)).status, OK);
  t.is(machine.device.metrics.hostErrors, 4);
});

test('a writethrough write whose flush fails has failed', (t) => {
  const machine = makeBlockMachine({ broken: { flush: hostError(5, 'fdatasync') } });
  boot(machine, 0xffffffff & ~FEATURE_FLUSH);
  const data = sent(machine, pattern(SECTOR));
  t.deepEqual(request(machine, OUT, 0, data), { status: IOERR, length: 1 });
});

test('a file that has become shorter fails the request, after what it still has', (t) => {
  const sha256 = '';
  const machine = bootedMachine({
    broken: { readInto: () => ({ length: 100, sha256 }), writeFrom: () => ({ length: 0, sha256 }) },
  });
  const border = 16 * MIB - SECTOR;
  t.deepEqual(request(machine, IN, 0, room(2 * SECTOR, border)), { status: IOERR, length: 101 });
  t.deepEqual(machine.calls, ['readInto'], 'the second region is not asked for');
  const data = sent(machine, pattern(SECTOR));
  t.deepEqual(request(machine, OUT, 0, data), { status: IOERR, length: 1 });
  t.is(machine.device.metrics.hostErrors, 2);
});

test('our own mistakes are no answers to a guest', (t) => {
  const broken = {
    readInto: () => {
      throw new HalError('BAD_HANDLE', 'no disk');
    },
  };
  const machine = bootedMachine({ broken });
  t.throws(() => request(machine, IN, 0, room(SECTOR)), { code: 'BAD_HANDLE' });
});

test('the end of RAM is no border for a sector', (t) => {
  const machine = bootedMachine();
  t.is(request(machine, IN, 0, room(SECTOR, LOW_END - SECTOR)).status, OK);
  t.is(request(machine, IN, 0, room(SECTOR, LOW_END - SECTOR + 1)).status, IOERR);
  t.is(machine.faults.of('buffer-outside-ram'), 1);
});
