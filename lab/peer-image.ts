import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheDirectory, filledOnce, keepNewest } from '../src/guest-image/cache.js';
import { type PackageSource, withDebianPackages } from '../src/guest-image/debian-packages.js';
import { writeDisk } from './ext4.js';
import { LAB_MACHINES } from './machines.js';

/** Where the host has what is compared with this project: Debian's QEMU, as `qemu`. */
export const PEER_FOLDER = '/peer';

const KEPT = 2;

/**
 * The peer's own loader and libraries run it, whatever the host has. The first is the processor's, the others are the
 * package's.
 */
const launcher = (qemu: string, libraryFolder: string) => `#!/bin/sh
exec ${PEER_FOLDER}/lib/ld-linux-x86-64.so.2 --library-path ${PEER_FOLDER}/lib/${libraryFolder} \\
  ${PEER_FOLDER}/bin/${qemu} -L ${PEER_FOLDER}/firmware "$@"
`;

/** An ext4 disk with Debian's QEMU for x86_64: its program, libraries and firmware. Built, or found in the cache. */
export async function peerDisk(source: PackageSource): Promise<string> {
  const { qemu, qemuPackage, libraryFolder } = LAB_MACHINES[source.architecture];
  const unpacked = await withDebianPackages(source, (packages) =>
    packages.withDependencies(qemuPackage),
  );
  const script = launcher(qemu, libraryFolder);
  const key = createHash('sha256').update(script).digest('hex').slice(0, 8);
  const folder = join(cacheDirectory(), 'lab', 'peers', `${basename(unpacked)}-${key}`);
  await filledOnce(folder, async (unfinished) => {
    source.progress('building the disk with the QEMU to compare with');
    const tree = mkdtempSync(join(unfinished, 'tree-'));
    peerTree(tree, unpacked, { qemu, libraryFolder, script });
    await writeDisk(join(unfinished, 'peer.ext4'), tree);
    rmSync(tree, { recursive: true });
  });
  keepNewest(dirname(folder), KEPT);
  return join(folder, 'peer.ext4');
}

function peerTree(
  tree: string,
  unpacked: string,
  { qemu, libraryFolder, script }: { qemu: string; libraryFolder: string; script: string },
): void {
  for (const name of ['bin', `lib/${libraryFolder}`, 'firmware']) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  const copy = (from: string, into: string, wanted: RegExp) => {
    for (const name of readdirSync(join(unpacked, from)).filter((entry) => wanted.test(entry))) {
      // Links would lead into folders that are not copied.
      cpSync(join(unpacked, from, name), join(tree, into, name), { dereference: true });
    }
  };
  const library = /\.so(\.|$)/;
  copy(`lib/${libraryFolder}`, `lib/${libraryFolder}`, library);
  copy(`usr/lib/${libraryFolder}`, `lib/${libraryFolder}`, library);
  copy(`lib/${libraryFolder}`, 'lib', /^ld-linux-/);
  copy('usr/share/qemu', 'firmware', /\.(bin|rom)$/);
  copy('usr/share/seabios', 'firmware', /^(bios|vgabios-stdvga).*\.bin$/);
  copy('usr/bin', 'bin', new RegExp(`^${qemu}$`));
  writeFileSync(join(tree, 'qemu'), script);
  chmodSync(join(tree, 'qemu'), 0o755);
}
