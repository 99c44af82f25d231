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

/** The packages of the lock file: those that the project needs to run, or those of its development alone. */
export function packagePaths(root: string, isForDevelopment = false): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev = false }]) => {
      return path.startsWith('node_modules/') && dev === isForDevelopment;
    })
    .map(([path]) => path);
}

export interface ProjectFile {
  /** Relative to the project, there. */
  readonly path: string;
  readonly kind: 'file' | 'link';
  /** Where it is here. */
  readonly from: string;
}

/** A file, or all files in a folder; none if it is not there. */
export function* filesUnder(root: string, path: string): Generator<ProjectFile> {
  const from = join(root, path);
  if (!existsSync(from)) return;
  if (!statSync(from).isDirectory()) {
    yield { path, kind: 'file', from };
    return;
  }
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    // Packages within packages are named by the lock file too.
    if (entry.name === 'node_modules' || entry.name === '.tsbuildinfo') continue;
    const inside = `${path}/${entry.name}`;
    const there = join(from, entry.name);
    if (entry.isDirectory()) yield* filesUnder(root, inside);
    else if (entry.isFile()) yield { path: inside, kind: 'file', from: there };
    else if (entry.isSymbolicLink()) yield { path: inside, kind: 'link', from: there };
  }
}

function digest(files: readonly ProjectFile[]): string {
  const hash = createHash('sha256');
  for (const { path, kind, from } of files) {
    const content = kind === 'file' ? readFileSync(from) : readlinkSync(from);
    hash.update(`${kind} ${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

export interface ProjectDiskOptions {
  readonly architecture: GuestArchitecture;
  readonly progress: Progress;
  /** What the host shall have of the project besides. */
  readonly more?: readonly ProjectFile[] | undefined;
}

/** An ext4 disk with the built project, or the one in the cache that has the same content. */
export async function projectDisk(
  root: string,
  { architecture, progress, more = [] }: ProjectDiskOptions,
): Promise<string> {
  const paths = [...PROJECT, addonPath(architecture), ...packagePaths(root)];
  const files = [...paths.flatMap((path) => [...filesUnder(root, path)]), ...more];
  const images = join(cacheDirectory(), 'lab', 'projects');
  const folder = join(images, digest(files));
  await filledOnce(folder, async (unfinished) => {
    progress('packing the project');
    const tree = mkdtempSync(join(unfinished, 'tree-'));
    for (const { path, kind, from } of files) {
      const target = join(tree, path);
      mkdirSync(dirname(target), { recursive: true });
      if (kind === 'link') symlinkSync(readlinkSync(from), target);
      else linkOrCopy(from, target);
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
