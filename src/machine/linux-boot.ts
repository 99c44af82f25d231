import { UnsupportedError } from '../hal/contract/errors.js';
import type { Architecture } from '../hal/contract/footprint.js';
import { arm64Linux } from './arm64-linux.js';
import type { GuestBoot } from './guest-boot.js';
import type { LinuxGuest } from './linux-guest.js';
import { x86Linux } from './x86-64-linux.js';

/** How an unmodified Linux kernel boots on an architecture. @throws UnsupportedError */
export function linuxBoot(architecture: Architecture, guest: LinuxGuest): GuestBoot {
  if (architecture === 'x86_64') return x86Linux(guest);
  if (architecture === 'aarch64') return arm64Linux(guest);
  throw new UnsupportedError(
    `no Linux guest of architecture ${architecture} can be booted`,
    'Use an x86_64 or aarch64 guest',
  );
}
