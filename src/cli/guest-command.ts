import type { GuestArchitecture } from '../guest-image/architecture.js';
import { withDebianPackages } from '../guest-image/debian-packages.js';
import { guestImage } from '../guest-image/guest-image.js';
import { EXIT } from './failure.js';
import type { Output } from './output.js';

export interface GuestFetchOptions {
  readonly arch: GuestArchitecture;
  /** Look for a newer one than the cache has. */
  readonly refresh: boolean;
}

/** Gets a Linux guest, or finds it in the cache, and says where it lies. */
export async function guestFetchCommand(
  { arch, refresh }: GuestFetchOptions,
  output: Output,
): Promise<number> {
  const progress = (what: string) => {
    if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
  };
  const { release, kernel, initrd } = await withDebianPackages(
    { architecture: arch, progress, refresh },
    (packages) => guestImage(packages, arch),
  );
  output.line(`Linux ${release} for ${arch}`);
  output.line(`kernel  ${kernel}`);
  output.line(`initrd  ${initrd}`);
  output.result({ arch, release, kernel, initrd });
  return EXIT.ok;
}
