import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../src/guest-image/tool.js';

const BLOCK = 4096;
const INODE = 256;
const REMEDY = 'Install it: apt-get install e2fsprogs';
// Nothing here outlives a crash, so nothing is journalled.
const FEATURES = '^has_journal,^resize_inode,^metadata_csum,uninit_bg';

/** Blocks and inodes that a folder's content takes. */
function measure(folder: string): { bytes: number; inodes: number } {
  let bytes = BLOCK;
  let inodes = 1;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const inside = measure(path);
      bytes += inside.bytes;
      inodes += inside.inodes;
    } else {
      inodes += 1;
      if (entry.isFile()) bytes += Math.ceil(statSync(path).size / BLOCK) * BLOCK;
    }
  }
  return { bytes, inodes };
}

/** Writes a disk image that has a folder's content, just large enough for it. */
export async function writeDisk(image: string, folder: string): Promise<void> {
  const { bytes, inodes } = measure(folder);
  const spareInodes = 64;
  // The file system's own tables, and extents of large folders.
  const size = Math.ceil((bytes * 1.05 + (inodes + spareInodes) * INODE) / BLOCK) * BLOCK;
  writeFileSync(image, '');
  truncateSync(image, size + (4 << 20));
  await makeFileSystem(image, ['-N', String(inodes + spareInodes), '-d', folder]);
}

/** Writes an empty disk image; the file is sparse. */
export async function writeEmptyDisk(image: string, bytes: number): Promise<void> {
  writeFileSync(image, '');
  truncateSync(image, bytes);
  await makeFileSystem(image, []);
}

async function makeFileSystem(image: string, args: readonly string[]): Promise<void> {
  const options = ['-q', '-F', '-t', 'ext4', '-m', '0', '-b', String(BLOCK), '-I', String(INODE)];
  const extended = 'root_owner=0:0,lazy_itable_init=1,nodiscard';
  await runTool('mke2fs', [...options, '-O', FEATURES, '-E', extended, ...args, image], {
    remedy: REMEDY,
  });
}

/**
 * Copies everything on a disk image into a folder, without mounting it, over what is there under the same names. Returns
 * the names in its root.
 */
export async function readDisk(image: string, folder: string): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  const list = await runTool('debugfs', ['-R', 'ls -p /', image], { remedy: REMEDY });
  const names = list
    .split('\n')
    // "/inode/mode/user/group/name/size/"
    .map((line) => line.split('/')[5])
    .filter((name) => name !== undefined && !['', '.', '..', 'lost+found'].includes(name));
  // Debugfs leaves a folder that is there already as it is, and says nothing: what lay there would pass for new.
  const fresh = mkdtempSync(join(folder, '.coming-'));
  try {
    for (const name of names) {
      await runTool('debugfs', ['-R', `rdump "/${name}" "${fresh}"`, image], { remedy: REMEDY });
    }
    cpSync(fresh, folder, { recursive: true, verbatimSymlinks: true });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return names as readonly string[];
}
