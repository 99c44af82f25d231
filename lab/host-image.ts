import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheDirectory, filledOnce, keepNewest } from '../src/guest-image/cache.js';
import { type CpioEntry, cpioArchive } from '../src/guest-image/cpio.js';
import {
  type DebianPackages,
  type PackageSource,
  type Progress,
  withDebianPackages,
} from '../src/guest-image/debian-packages.js';
import {
  busyboxFile,
  guestImage,
  kernelFiles,
  smallSystem,
} from '../src/guest-image/guest-image.js';
import { runTool } from '../src/guest-image/tool.js';
import { writeDisk } from './ext4.js';
import { HOST_INIT } from './host-init.js';
import { HOST_MODULES, LAB_MACHINES, type LabMachine, NODE_VERSION } from './machines.js';

/** What every run of an emulated host begins with. */
export interface HostImage {
  readonly kernel: string;
  /** The small system that mounts the disks: an uncompressed cpio archive. */
  readonly initrd: string;
  /** Node, its libraries, the Linux guest's kernel and initrd: an ext4 disk. */
  readonly baseDisk: string;
}

/** Host images that are kept, of both architectures together. */
const KEPT = 6;

const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1'];

const HALYARD = '#!/bin/sh\nexec /usr/bin/node /project/dist/bin/halyard.cjs "$@"\n';

/** Builds the host's image, or finds it in the cache. */
export function hostImage(source: PackageSource): Promise<HostImage> {
  return withDebianPackages(source, (packages) => hostImageOf(packages, source));
}

async function hostImageOf(
  packages: DebianPackages,
  { architecture, progress }: PackageSource,
): Promise<HostImage> {
  const machine = LAB_MACHINES[architecture];
  const guest = await guestImage(packages, architecture);
  const busybox = await busyboxFile(packages);
  const libraries: string[] = [];
  for (const name of LIBRARIES) libraries.push(await packages.unpacked(name));
  const node = await nodeFile(machine, progress);
  const { modules } = kernelFiles(await packages.cloudKernel());
  const initrd = cpioArchive(hostSystem(machine, busybox, modules));
  const key = createHash('sha256')
    .update(initrd)
    .update(JSON.stringify([guest.kernel, guest.initrd, libraries, node, HALYARD]))
    .digest('hex')
    .slice(0, 16);
  const folder = join(cacheDirectory(), 'lab', 'hosts', `${architecture}-${key}`);
  await filledOnce(folder, async (unfinished) => {
    progress(`building the ${architecture} host image`);
    writeFileSync(join(unfinished, 'initrd'), initrd);
    const tree = mkdtempSync(join(unfinished, 'tree-'));
    baseTree(tree, { libraries, machine, node });
    mkdirSync(join(tree, 'guest'));
    copyFileSync(guest.kernel, join(tree, 'guest', 'vmlinuz'));
    copyFileSync(guest.initrd, join(tree, 'guest', 'initrd'));
    await writeDisk(join(unfinished, 'base.ext4'), tree);
    rmSync(tree, { recursive: true });
  });
  keepNewest(dirname(folder), KEPT);
  return {
    kernel: guest.kernel,
    initrd: join(folder, 'initrd'),
    baseDisk: join(folder, 'base.ext4'),
  };
}

function hostSystem(machine: LabMachine, busybox: string, modules: string): readonly CpioEntry[] {
  const link = (path: string, target: string): CpioEntry => ({ kind: 'link', path, target });
  const file = (path: string, content: string): CpioEntry => ({ kind: 'file', path, content });
  const loaded = [...HOST_MODULES, ...machine.kvmModules].map(
    (module, index): CpioEntry => ({
      kind: 'file',
      path: `modules/${String(index).padStart(2, '0')}-${basename(module)}`,
      content: readFileSync(join(modules, module)),
    }),
  );
  return [
    ...smallSystem(busybox, HOST_INIT).filter(({ path }) => path !== 'lib'),
    { kind: 'folder', path: 'modules' },
    ...loaded,
    { kind: 'file', path: 'bin/halyard', content: HALYARD, executable: true },
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    file('etc/group', 'root:x:0:\n'),
    file('etc/hosts', '127.0.0.1 localhost lab\n'),
    link('usr', 'base/usr'),
    link('lib', 'base/usr/lib'),
    link('lib64', 'base/usr/lib64'),
    link('guest', 'base/guest'),
  ];
}

/** Libraries come from /lib or /usr/lib, as the Debian release has it; here they all lie in /usr. */
function baseTree(
  tree: string,
  { libraries, machine, node }: { libraries: readonly string[]; machine: LabMachine; node: string },
): void {
  const isLibrary = (name: string) => /\.so(\.|$)/.test(name);
  for (const folder of ['lib', 'lib64', `lib/${machine.libraryFolder}`]) {
    mkdirSync(join(tree, 'usr', folder), { recursive: true });
    for (const from of libraries.flatMap((root) => [
      join(root, folder),
      join(root, 'usr', folder),
    ])) {
      if (!existsSync(from)) continue;
      for (const name of readdirSync(from).filter(isLibrary)) {
        cpSync(join(from, name), join(tree, 'usr', folder, name), { verbatimSymlinks: true });
      }
    }
  }
  mkdirSync(join(tree, 'usr', 'bin'));
  symlinkSync('/bin/busybox', join(tree, 'usr', 'bin', 'env'));
  copyFileSync(node, join(tree, 'usr', 'bin', 'node'));
  chmodSync(join(tree, 'usr', 'bin', 'node'), 0o755);
}

/** Node's binary for the host, from npm's registry. */
async function nodeFile({ nodePackage }: LabMachine, progress: Progress): Promise<string> {
  const folder = join(cacheDirectory(), 'node', `${nodePackage}-${NODE_VERSION}`);
  const remedy = 'The lab needs npm, tar and a registry that npm reaches, the first time.';
  await filledOnce(folder, async (unfinished) => {
    progress(`fetching ${nodePackage} ${NODE_VERSION}`);
    const spec = `${nodePackage}@${NODE_VERSION}`;
    await runTool('npm', ['pack', '--silent', spec], { cwd: unfinished, remedy });
    const archive = `${nodePackage}-${NODE_VERSION}.tgz`;
    const args = ['-xzf', archive, '--strip-components=2', 'package/bin/node'];
    await runTool('tar', args, { cwd: unfinished, remedy });
    rmSync(join(unfinished, archive));
  });
  return join(folder, 'node');
}
