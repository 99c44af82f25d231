import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type GuestArchitecture, nativeArchitecture } from '../src/guest-image/architecture.js';
import { cacheDirectory, filledOnce, keepNewest } from '../src/guest-image/cache.js';
import type { Progress } from '../src/guest-image/debian-packages.js';
import { writeDisk } from './ext4.js';

/** What of the project goes into the host, beside the packages that it needs. */
const PROJECT = ['package.json', 'dist', 'build/guest', 'recordings', 'seccomp'];

/** Where the addon of the host's architecture is: built here, or crossed by `npm run prebuilds`. */
export function addonPath(architecture: GuestArchitecture): string {
  if (architecture === nativeArchitecture()) return 'build/Release/halyard.node';
  const arch = architecture === 'x86_64' ? 'x64' : architecture;
  return `prebuilds/linux-${arch}/halyard.uv1.glibc.node`;
}

/** Images of so many states of the project are kept. */
const KEPT = 10;

/** The packages that the project needs to run, by the lock file: no tool of its development. */
function packagePaths(root: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path.startsWith('node_modules/') && dev !== true)
    .map(([path]) => path);
}

interface ProjectFile {
  /** Relative to the project. */
  readonly path: string;
  readonly kind: 'file' | 'link';
}

function* filesUnder(root: string, path: string): Generator<ProjectFile> {
  const full = join(root, path);
  if (!existsSync(full)) return;
  if (!statSync(full).isDirectory()) {
    yield { path, kind: 'file' };
    return;
  }
  for (const entry of readdirSync(full, { withFileTypes: true })) {
    // Packages within packages are named by the lock file too.
    if (entry.name === 'node_modules' || entry.name === '.tsbuildinfo') continue;
    const inside = `${path}/${entry.name}`;
    if (entry.isDirectory()) yield* filesUnder(root, inside);
    else if (entry.isFile()) yield { path: inside, kind: 'file' };
    else if (entry.isSymbolicLink()) yield { path: inside, kind: 'link' };
  }
}

function digest(root: string, files: readonly ProjectFile[]): string {
  const hash = createHash('sha256');
  for (const { path, kind } of files) {
    const full = join(root, path);
    const content = kind === 'file' ? readFileSync(full) : readlinkSync(full);
    hash.update(`${kind} ${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

/** An ext4 disk with the built project, or the one in the cache that has the same content. */
export async function projectDisk(
  root: string,
  { architecture, progress }: { architecture: GuestArchitecture; progress: Progress },
): Promise<string> {
  const paths = [...PROJECT, addonPath(architecture), ...packagePaths(root)];
  const files = paths.flatMap((path) => [...filesUnder(root, path)]);
  const images = join(cacheDirectory(), 'lab', 'projects');
  const folder = join(images, digest(root, files));
  await filledOnce(folder, async (unfinished) => {
    progress('packing the project');
    const tree = mkdtempSync(join(unfinished, 'tree-'));
    for (const { path, kind } of files) {
      const target = join(tree, path);
      mkdirSync(dirname(target), { recursive: true });
      if (kind === 'link') symlinkSync(readlinkSync(join(root, path)), target);
      else linkOrCopy(join(root, path), target);
    }
    await writeDisk(join(unfinished, 'project.ext4'), tree);
    rmSync(tree, { recursive: true });
  });
  keepNewest(images, KEPT);
  return join(folder, 'project.ext4');
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Another file system than the cache's.
    copyFileSync(from, to);
  }
}
