import type { AnyImplementation } from '../bind.js';
import { Channel } from '../channel.js';
import { Clock } from '../clock.js';
import type { HalContract } from '../contract/define.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { Entropy } from '../entropy.js';
import { EventFd } from '../event-fd.js';
import { Kvm } from '../kvm.js';
import { Mmap } from '../mmap.js';
import { Seccomp } from '../seccomp.js';
import { type AddonSession, loadAddon } from './addon.js';
import { connectEvents, fromAddon } from './from-addon.js';

export { type Addon, type AddonSession, loadAddon } from './addon.js';

/** A contract that the addon satisfies as it is. */
export function addonImplementation<C extends HalContract>(
  contract: C,
  session: AddonSession,
): Implementation<C> {
  return implement<C>(
    contract,
    (emit) => {
      connectEvents(contract, session, emit);
      return fromAddon(contract, session);
    },
    { validates: true, dispose: () => session.close() },
  );
}

/**
 * The contracts of this machine's hardware, with handles of their own. Loads the addon.
 *
 * @throws UnsupportedError without the addon.
 */
export function nativeImplementations(): readonly AnyImplementation[] {
  const session = loadAddon().open();
  return [Mmap, EventFd, Clock, Entropy, Channel, Seccomp, Kvm].map((contract) =>
    addonImplementation(contract as HalContract, session),
  );
}
