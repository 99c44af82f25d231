import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackageSource, withDebianPackages } from '../../src/guest-image/debian-packages.js';
import { LAB_MACHINES } from '../machines.js';
import { filesUnder, type ProjectFile } from '../project-image.js';

/** A folder of the project's, for the host's PATH. */
export const TOOLS = 'build/host-tools';

/**
 * Debian's strace(1) for the host, with libraries of its own: the tests look with it at what the native side does.
 *
 * @param folder for the file that starts it.
 * @throws UnsupportedError
 */
export async function straceFiles(
  source: PackageSource,
  folder: string,
): Promise<readonly ProjectFile[]> {
  const unpacked = await withDebianPackages(source, (packages) =>
    packages.withDependencies('strace'),
  );
  const { libraryFolder } = LAB_MACHINES[source.architecture];
  const libraries = [`lib/${libraryFolder}`, `usr/lib/${libraryFolder}`]
    .filter((path) => existsSync(join(unpacked, path)))
    .flatMap((path) => [...filesUnder(unpacked, path)].map((file) => ({ ...file, within: path })))
    .filter(({ path }) => /\.so(\.|$)/.test(path))
    .map(({ within, path, kind, from }): ProjectFile => {
      return { path: `${TOOLS}/lib/${path.slice(within.length + 1)}`, kind, from };
    });
  const start = join(folder, 'strace');
  // The C library is the host's; the others are found here, by strace alone and not by what it starts.
  const own = `/project/${TOOLS}`;
  const loader = '$(echo /lib*/ld-linux-*.so.* | cut -d " " -f 1)';
  writeFileSync(
    start,
    `#!/bin/sh\nexec ${loader} --library-path ${own}/lib ${own}/strace.bin "$@"\n`,
  );
  chmodSync(start, 0o755);
  return [
    { path: `${TOOLS}/strace`, kind: 'file', from: start },
    { path: `${TOOLS}/strace.bin`, kind: 'file', from: join(unpacked, 'usr/bin/strace') },
    ...libraries,
  ];
}
