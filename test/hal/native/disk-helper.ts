// Opens a disk that another process may have open; or lets the kernel refuse what a disk needs, by a filter (numbers of
// x86_64), and says what came of it.
import { HalError } from '../../../src/hal/contract/errors.js';
import { Disk } from '../../../src/hal/disk.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { makeNativeRig } from './native-implementations.js';

const PREAD64 = 17;
const PWRITE64 = 18;
const FDATASYNC = 75;
const FALLOCATE = 285;
const [LOAD_WORD, JUMP_IF_EQUAL, RETURN] = [0x20, 0x15, 0x06];
const ALLOW = 0x7fff0000;
const ERRNO_EIO = 0x00050005;

const instructions: readonly (readonly [number, number, number, number])[] = [
  [LOAD_WORD, 0, 0, 0],
  [JUMP_IF_EQUAL, 4, 0, PREAD64],
  [JUMP_IF_EQUAL, 3, 0, PWRITE64],
  [JUMP_IF_EQUAL, 2, 0, FDATASYNC],
  [JUMP_IF_EQUAL, 1, 0, FALLOCATE],
  [RETURN, 0, 0, ALLOW],
  [RETURN, 0, 0, ERRNO_EIO],
];

function filter(): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jumpTrue, jumpFalse, constant], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jumpTrue);
    view.setUint8(index * 8 + 3, jumpFalse);
    view.setUint32(index * 8 + 4, constant, true);
  });
  return new Uint8Array(view.buffer);
}

function outcomeOf(call: () => string): string {
  try {
    return call();
  } catch (error) {
    if (!HalError.is(error)) throw error;
    return `${error.code} ${error.syscall} ${error.errno}`;
  }
}

const [what = '', path = '', how = ''] = process.argv.slice(2);
const rig = makeNativeRig({ disks: () => path });
const disks = rig.hal(Disk);
if (what === 'open') {
  const open = () => `opened ${disks.open({ name: 'd', readOnly: how === 'read' }).size}`;
  process.stdout.write(outcomeOf(open));
} else {
  const { disk } = disks.open({ name: 'd', readOnly: false });
  const region = rig.hal(Mmap).createRegion({ name: 'ram', size: 4096 });
  const transfer = { disk, offset: 0, region, ranges: Float64Array.of(0, 512) };
  rig.hal(Seccomp).install({ program: filter() });
  const calls = [
    () => disks.readInto(transfer).sha256,
    () => disks.writeFrom(transfer).sha256,
    () => `flushed ${disks.flush({ disk })}`,
    () => `discarded ${disks.discard({ disk, offset: 0, length: 512 })}`,
  ];
  process.stdout.write(JSON.stringify(calls.map(outcomeOf)));
}
rig.dispose();
