import type { ExecutionContext } from 'ava';
import { BlockDevice } from '../../../src/devices/block/block-device.js';
import { blockTransport } from '../../../src/devices/block/transport.js';
import { InterruptLine } from '../../../src/devices/virtio/interrupt.js';
import { Disk } from '../../../src/hal/disk.js';
import { EventFd } from '../../../src/hal/event-fd.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { nativeImplementations } from '../../../src/hal/native/index.js';
import { checkProfiles } from '../../contract/profiles.js';
import type { Rig } from '../../contract/rig.js';
import { nativeTest } from '../../hal/native/native-rig.js';
import { DriverQueue, MmioDriver } from '../driver-model.js';
import { MIB, PAGE } from '../harness.js';
import { FLUSH, IN, OK, OUT, pattern } from './harness.js';

// Natively, and recorded and then replayed in both modes, where no disk and no memory is there any more.
const check = checkProfiles(nativeTest, () => nativeImplementations({ disks: (name) => name }));

const SECTOR = 512;
const [HEADER, STATUS, DATA] = [0x8000, 0x9000, 0x10000] as const;

interface OpenedDisk {
  readonly disk: number;
  readonly size: number;
}

/** A guest with 4 MiB of RAM and this disk, whose driver is up. */
function makeGuest(rig: Rig, { disk, size }: OpenedDisk) {
  const mmap = rig.hal(Mmap);
  const region = mmap.createRegion({ name: 'ram', size: 4 * MIB });
  const page = mmap.createRegion({ name: 'interrupt status', size: PAGE });
  const eventfd = rig.hal(EventFd).create({ name: 'irq' });
  const wiring = { region: page, offset: 0, eventfd };
  const interrupt = new InterruptLine(mmap, rig.hal(EventFd), wiring);
  const shape = { sizeBytes: size, readOnly: false };
  const transport = blockTransport({ interrupt, shape });
  const ram = [{ address: 0, size: 4 * MIB, region, offset: 0 }];
  const disks = rig.hal(Disk);
  transport.connect(new BlockDevice({ mmap, disks, disk, shape, ram, frontend: transport }));
  const driver = new MmioDriver(transport);
  const queue = new DriverQueue(mmap, region, 0, 256);
  driver.negotiate();
  driver.setUpQueue(0, queue.layout);
  driver.writeStatus(0xf);
  const write = (offset: number, data: Uint8Array) => mmap.write({ region, offset, data });
  const read = (offset: number, length: number): Uint8Array => {
    const into = new Uint8Array(length);
    mmap.read({ region, offset, into });
    return into;
  };
  return {
    capacity: driver.read32(0x100),
    write,
    read,
    /** One request; its data lies in two pieces that are apart. */
    request(t: ExecutionContext, type: number, sector: number, length: number): void {
      const header = new Uint8Array(16);
      new DataView(header.buffer).setUint32(0, type, true);
      new DataView(header.buffer).setUint32(8, sector, true);
      write(HEADER, header);
      const writable = type === IN;
      const half = Math.floor(length / 2);
      queue.post(
        { address: HEADER, length: 16 },
        { address: DATA, length: half, writable },
        { address: DATA + MIB, length: length - half, writable },
        { address: STATUS, length: 1, writable: true },
      );
      driver.kick(0);
      t.deepEqual(read(STATUS, 1), Uint8Array.of(OK));
      t.is(queue.takeUsed()[0]?.length, writable ? length + 1 : 1);
      // The driver takes the interrupt.
      t.is(driver.read32(0x60), 1);
      driver.write32(0x64, 1);
    },
  };
}

check(
  'block device: what a guest writes is in the file, and what it reads came from it',
  (t, rig) => {
    const content = pattern(2 * MIB);
    const name = rig.file('disk', content);
    const opened = rig.hal(Disk).open({ name, readOnly: false });
    const guest = makeGuest(rig, opened);
    t.is(guest.capacity, 4096);
    guest.request(t, IN, 7, 1000 * SECTOR);
    t.deepEqual(guest.read(DATA, 100), content.slice(7 * SECTOR, 7 * SECTOR + 100));
    const half = 500 * SECTOR;
    t.deepEqual(guest.read(DATA + MIB, half), content.slice(7 * SECTOR + half, 1007 * SECTOR));
    const data = pattern(600 * SECTOR, 111);
    guest.write(DATA, data.subarray(0, 300 * SECTOR));
    guest.write(DATA + MIB, data.subarray(300 * SECTOR));
    guest.request(t, OUT, 2000, data.length);
    guest.request(t, FLUSH, 0, 0);
    rig.hal(Disk).close({ disk: opened.disk });
    // The file itself, seen from outside of the guest.
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'seen', size: 2 * MIB });
    mmap.load({ region, offset: 0, path: name });
    const wanted = content.slice();
    wanted.set(data, 2000 * SECTOR);
    const found = new Uint8Array(2 * MIB);
    mmap.read({ region, offset: 0, into: found });
    t.true(Buffer.from(found).equals(wanted));
  },
);

check('block device: a disk without a file takes everything and gives zeros', (t, rig) => {
  const size = 2 ** 40;
  const guest = makeGuest(rig, { disk: rig.hal(Disk).openNull({ size }), size });
  guest.write(DATA, pattern(2048));
  guest.request(t, OUT, 2 ** 31 - 8, 8 * SECTOR);
  guest.request(t, FLUSH, 0, 0);
  guest.request(t, IN, 2 ** 31 - 8, 8 * SECTOR);
  t.deepEqual(guest.read(DATA, 2048), new Uint8Array(2048));
});
