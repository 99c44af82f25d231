import { Channel } from '../hal/channel.js';
import type { HalEvents, HalOf } from '../hal/contract/define.js';
import { HalError, UnsupportedError } from '../hal/contract/errors.js';
import { EPERM, Seccomp } from '../hal/seccomp.js';
import type { EventSource } from '../reactor/reactor.js';

/**
 * Whether the device's process is jailed, and what its policy does to a system call that it does not allow: its parent is
 * told and ends it, the kernel ends it at once and nobody learns what it was, or its parent is told and lets it pass: no
 * jail, but a way to learn what one must allow.
 */
export type JailChoice = 'off' | 'user-notify' | 'kill-process' | 'log';
export const JAIL_CHOICES: readonly JailChoice[] = ['off', 'user-notify', 'kill-process', 'log'];

/** The name of the device's policy, in traces and among those that are shipped. */
export const DEVICE_POLICY = 'balloon_device';

/** What the device's process may not do, as its parent learns it. */
export type Refused = HalEvents<typeof Seccomp>['refused'];

/** What the device has of the HAL once it is jailed; test/programs holds it to the recordings. */
export const DEVICE_ENTRIES: readonly string[] = [
  'channel.close',
  'channel.closed',
  'channel.listen',
  'channel.message',
  'channel.send',
  'event-fd.adopt',
  'event-fd.close',
  'event-fd.signal',
  'event-fd.signalled',
  'event-fd.watch',
  'mmap.adoptRegion',
  'mmap.andU32',
  'mmap.closeRegion',
  'mmap.describe',
  'mmap.discard',
  'mmap.loadAcquireU16',
  'mmap.loadAcquireU32',
  'mmap.orU32',
  'mmap.read',
  'mmap.readU16Array',
  'mmap.readU32Array',
  'mmap.storeReleaseU16',
  'mmap.write',
  'mmap.writeU32Array',
];

type SeccompHal = HalOf<typeof Seccomp>;
type ChannelHal = HalOf<typeof Channel>;

const REMEDY =
  'It takes Linux 5.7 or later with CONFIG_SECCOMP_FILTER, and a container that does not forbid seccomp(2); --no-jail ' +
  'runs the device without a jail';

/** @throws UnsupportedError where no process can be jailed so. */
export function checkJail(seccomp: SeccompHal, choice: JailChoice): void {
  if (choice === 'off') return;
  const { filter, tsync, userNotify } = seccomp.probe();
  if (filter && tsync && (userNotify || choice === 'kill-process')) return;
  const lacks = filter && tsync ? 'telling who is refused what' : 'filters for a whole process';
  throw new UnsupportedError(`This system has no seccomp(2) with ${lacks}`, REMEDY);
}

/** "Broken pipe" (errno(3)): the other end is closed. */
const EPIPE = 32;

/** What a process tells its parent: it is jailed (and sends its listener, if there is one), or the system refused. */
const JAILED = 1;
const NOT_JAILED = 0;

/**
 * Jails this process, for good, and tells its parent. To be called when all is set up, and before the first byte of a guest
 * is looked at.
 *
 * @param channel to the parent.
 * @throws UnsupportedError if the system refuses.
 */
export function enterJail(
  hal: { readonly seccomp: SeccompHal; readonly channel: ChannelHal },
  choice: Exclude<JailChoice, 'off'>,
  channel: number,
): void {
  let attach: number[] = [];
  try {
    if (choice === 'kill-process') hal.seccomp.confine({ program: DEVICE_POLICY });
    else {
      const { listener, activity } = hal.seccomp.confineAndNotify({ program: DEVICE_POLICY });
      attach = [listener, activity];
    }
  } catch (error) {
    if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
    hal.channel.send({ channel, data: Uint8Array.of(NOT_JAILED), attach });
    const { errno, syscall } = error;
    const what = `The jail cannot be entered (${error.message})`;
    throw new UnsupportedError(what, REMEDY, { errno, syscall, cause: error });
  }
  try {
    hal.channel.send({ channel, data: Uint8Array.of(JAILED), attach });
  } catch (error) {
    // The parent went away meanwhile. Its other channels say so too, and end this process in order.
    if (!HalError.is(error) || error.errno !== EPIPE) throw error;
  }
}

export interface SupervisorOptions {
  readonly hal: { readonly seccomp: SeccompHal; readonly channel: ChannelHal };
  readonly events: Pick<EventSource, 'on'>;
  /** Over which the process tells that it is jailed. */
  readonly channel: number;
  readonly choice: Exclude<JailChoice, 'off'>;
  /** Called before the call is answered: who ends the process here keeps it from ever going on. */
  readonly onRefused: (refused: Refused) => void;
  /** The process sent something else. */
  readonly onBroken: (reason: string) => void;
}

/** The parent's side of a jail: hears what was refused, and lets it fail, or pass if it only logs. */
export class JailSupervisor {
  readonly #options: SupervisorOptions;
  readonly #subscriptions: (() => void)[] = [];
  #listener: number | undefined;
  /** The process has said whether it is jailed, or will never. */
  #isTold = false;
  #onceTold: (() => void) | undefined;

  /** Inside a turn. The channel stays the caller's to close. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { events, hal, channel } = options;
    this.#subscriptions.push(
      events.on(Channel, 'message', channel, ({ data, attached }) => this.#hear(data, attached)),
      // Behind all that was sent.
      events.on(Channel, 'closed', channel, () => this.#told()),
    );
    hal.channel.listen({ channel });
  }

  /**
   * Calls back when the process has said whether it is jailed, or can no more: that it ended may be heard before what it said
   * last.
   */
  onceTold(then: () => void): void {
    if (this.#isTold) then();
    else this.#onceTold = then;
  }

  #told(): void {
    this.#isTold = true;
    const then = this.#onceTold;
    this.#onceTold = undefined;
    then?.();
  }

  /** Hears nothing more. What is refused from now on fails. */
  end(): void {
    this.#onceTold = undefined;
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    if (this.#listener !== undefined) {
      this.#options.hal.seccomp.closeListener({ listener: this.#listener });
    }
    this.#listener = undefined;
  }

  /** @throws UnsupportedError if the process could not be jailed: another one could not either. */
  #hear(data: Uint8Array, attached: readonly number[]): void {
    if (data[0] === NOT_JAILED) {
      throw new UnsupportedError('The system refuses to jail the process of the device', REMEDY);
    }
    if (this.#options.choice !== 'kill-process') this.#supervise(attached);
    this.#told();
  }

  #supervise(attached: readonly number[]): void {
    const { hal, events, onBroken } = this.#options;
    const [listener, activity] = attached;
    if (listener === undefined || activity === undefined || this.#listener !== undefined) {
      onBroken('its jail sent no listener, or two');
      return;
    }
    try {
      this.#listener = hal.seccomp.supervise({ listener, activity });
    } catch (error) {
      if (!HalError.is(error)) throw error;
      onBroken(`its jail cannot be supervised: ${error.message}`);
      return;
    }
    this.#subscriptions.push(
      events.on(Seccomp, 'refused', this.#listener, (refused) => this.#refuse(refused)),
    );
  }

  #refuse(refused: Refused): void {
    this.#options.onRefused(refused);
    const { refusal } = refused;
    const { hal, choice } = this.#options;
    if (choice === 'log') hal.seccomp.answer({ refusal, verdict: 'pass', errno: 0 });
    else hal.seccomp.answer({ refusal, verdict: 'fail', errno: EPERM });
  }
}
