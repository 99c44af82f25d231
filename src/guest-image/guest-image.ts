import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UnsupportedError } from '../hal/contract/errors.js';
import type { GuestArchitecture } from './architecture.js';
import { cacheDirectory, filledOnce } from './cache.js';
import { type CpioEntry, cpioArchive } from './cpio.js';
import type { DebianPackages } from './debian-packages.js';
import { GUEST_INIT, GUEST_MODULES } from './guest-init.js';

/** A Linux kernel and what it starts with. */
export interface GuestImage {
  /** Debian's release name, as in "6.1.0-56-cloud-amd64". */
  readonly release: string;
  /** A bzImage on x86_64, an uncompressed Image on arm64. */
  readonly kernel: string;
  /** An uncompressed cpio archive: busybox, the virtio drivers, `GUEST_INIT`. */
  readonly initrd: string;
}

/** What lies in an unpacked kernel package: the image, and the folder that its modules' paths begin in. */
export function kernelFiles(unpacked: string): { release: string; image: string; modules: string } {
  const image = readdirSync(join(unpacked, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) {
    throw new UnsupportedError(`${unpacked} has no kernel in it`, 'Remove it and fetch it again.');
  }
  const release = image.slice('vmlinuz-'.length);
  const modules = ['lib/modules', 'usr/lib/modules']
    .map((folder) => join(unpacked, folder, release, 'kernel'))
    .find((folder) => existsSync(folder));
  if (modules === undefined) {
    throw new UnsupportedError(`${unpacked} has no modules in it`, 'Remove it and fetch it again.');
  }
  return { release, image: join(unpacked, 'boot', image), modules };
}

/** Debian's busybox without shared libraries: what a small system has beside its kernel. */
export async function busyboxFile(packages: DebianPackages): Promise<string> {
  const unpacked = await packages.unpacked('busybox-static');
  const file = ['bin/busybox', 'usr/bin/busybox']
    .map((name) => join(unpacked, name))
    .find((name) => existsSync(name));
  if (file !== undefined) return file;
  throw new UnsupportedError(`${unpacked} has no busybox in it`, 'Remove it and fetch it again.');
}

/** The folders and files that every small system here begins with. */
export function smallSystem(busybox: string, init: string): readonly CpioEntry[] {
  const folder = (path: string): CpioEntry => ({ kind: 'folder', path });
  return [
    ...['bin', 'dev', 'etc', 'lib', 'proc', 'sys', 'tmp'].map(folder),
    { kind: 'file', path: 'bin/busybox', content: readFileSync(busybox), executable: true },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    { kind: 'file', path: 'init', content: init, executable: true },
  ];
}

/**
 * Debian's cloud kernel and an initrd for it, in the cache. Nothing is fetched that is there.
 *
 * @throws UnsupportedError if something cannot be fetched.
 */
export async function guestImage(
  packages: DebianPackages,
  architecture: GuestArchitecture,
): Promise<GuestImage> {
  const { release, image, modules } = kernelFiles(await packages.cloudKernel());
  const archive = cpioArchive([
    ...smallSystem(await busyboxFile(packages), GUEST_INIT),
    ...GUEST_MODULES.map(
      (module): CpioEntry => ({
        kind: 'file',
        path: `lib/${basename(module)}`,
        content: readFileSync(join(modules, module)),
      }),
    ),
  ]);
  const digest = createHash('sha256').update(archive).digest('hex').slice(0, 16);
  const folder = join(cacheDirectory(), 'guest', architecture, `${release}-${digest}`);
  await filledOnce(folder, async (unfinished) => {
    writeFileSync(join(unfinished, 'initrd'), archive);
  });
  return { release, kernel: image, initrd: join(folder, 'initrd') };
}
