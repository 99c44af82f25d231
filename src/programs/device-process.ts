import { STATUS_DRIVER_OK } from '../devices/virtio/mmio-registers.js';
import type { MmioTransport } from '../devices/virtio/mmio-transport.js';
import {
  type FrontendHal,
  type FrontendOptions,
  VhostUserBackend,
} from '../devices/virtio/vhost-user/frontend.js';
import { Channel } from '../hal/channel.js';
import type { HalOf } from '../hal/contract/define.js';
import { HalError } from '../hal/contract/errors.js';
import { type Nanoseconds, NS_PER_S } from '../hal/contract/units.js';
import { Process } from '../hal/process.js';
import type { Seccomp } from '../hal/seccomp.js';
import { type BusDevice, PendingAnswer } from '../machine/bus.js';
import type { MmioWiring } from '../machine/mmio-slots.js';
import type { EventSource } from '../reactor/reactor.js';
import { checkJail, type JailChoice, JailSupervisor, type Refused } from './device-jail.js';

/** In which slot a device's process finds each of its channels. */
export const DEVICE_SLOTS = { transport: 0, control: 1, backend: 2, jail: 3 } as const;

const MAX_RESTARTS = 5;
const RESTART_WINDOW_NS: Nanoseconds = 10 * NS_PER_S;

/** What to do when the device's process ends by itself, or for its jail. */
export type DeviceExitChoice = 'restart' | 'stop';

/** A device's process ends again and again: the run is over. */
export class DeviceProcessError extends Error {
  override readonly name = 'DeviceProcessError';
  readonly code = 'DEVICE_GAVE_UP';
}

export interface DeviceProcessOptions
  extends Pick<FrontendOptions, 'features' | 'ram' | 'statusPage' | 'deviceConfig'> {
  readonly hal: FrontendHal & {
    readonly process: HalOf<typeof Process>;
    readonly seccomp: HalOf<typeof Seccomp>;
  };
  readonly events: EventSource;
  /** The lane that is the device. */
  readonly lane: string;
  readonly transport: MmioTransport;
  readonly wiring: Pick<MmioWiring, 'kicks' | 'call'>;
  /** What the driver wrote into the config space. */
  readonly configWritten: (offset: number, bytes: Uint8Array) => void;
  /** The device's control channel: at first, and after each restart. */
  readonly onControl: (control: number) => void;
  /** The device is started again, for this reason. */
  readonly onRestart: (reason: string) => void;
  readonly jail: JailChoice;
  /** The jail refused the device something; its process is ended for it, unless the jail only logs. */
  readonly onRefused: (refused: Refused) => void;
  readonly onExit: DeviceExitChoice;
}

interface Incarnation {
  readonly process: number;
  readonly backend: VhostUserBackend;
  readonly channels: readonly number[];
  readonly subscriptions: readonly (() => void)[];
  readonly jail: JailSupervisor | undefined;
  /** Why we asked it to end, if we did. */
  verdict: string | undefined;
}

/**
 * Keeps a device alive in a process of its own. The registers and the config space are on this side; when the process
 * ends it is started again, gets the config space back, and goes on after the last used element of each ring.
 */
export class DeviceProcess {
  readonly #options: DeviceProcessOptions;
  readonly #restartsNs: Nanoseconds[] = [];
  /** Writes that reset the device, and wait until it has let go of the rings. */
  readonly #held: PendingAnswer[] = [];
  #current: Incarnation | undefined;

  constructor(options: DeviceProcessOptions) {
    this.#options = options;
  }

  /** Starts the first incarnation. @throws HalError if no process can be started, or jailed. */
  start(): void {
    checkJail(this.#options.hal.seccomp, this.#options.jail);
    this.#start();
  }

  #start(): void {
    const { hal, events, transport, lane, onControl, configWritten } = this.#options;
    const requests = hal.channel.pair({ name: 'transport' });
    const control = hal.channel.pair({ name: 'control' });
    const replies = hal.channel.pair({ name: 'backend' });
    const { jail: choice } = this.#options;
    const jail = choice === 'off' ? undefined : hal.channel.pair({ name: 'jail' });
    const give = [
      requests.far,
      control.far,
      replies.far,
      ...(jail === undefined ? [] : [jail.far]),
    ];
    const process = hal.process.spawn({ lane, give });
    const backend = this.#makeBackend(requests.near, replies.near);
    this.#current = {
      process,
      backend,
      channels: [
        requests.near,
        control.near,
        replies.near,
        ...(jail === undefined ? [] : [jail.near]),
      ],
      jail: this.#supervise(jail?.near),
      subscriptions: [
        events.on(Process, 'exited', process, (exit) => this.#ended(exit)),
        events.on(Channel, 'closed', requests.near, () => this.#kill()),
      ],
      verdict: undefined,
    };
    backend.start();
    transport.connect({
      activate: (activation) => backend.activate(activation),
      reset: () => backend.reset(),
      queueNotify: (index) => backend.queueNotify(index),
      configWritten: (offset, bytes) => {
        configWritten(offset, bytes);
        backend.configWritten(offset, bytes);
      },
    });
    onControl(control.near);
  }

  /**
   * The registers, for the bus. A guest that resets its device frees the rings next, so its write is answered only when
   * the device has confirmed the reset, or is dead.
   */
  get registers(): BusDevice {
    const { transport } = this.#options;
    return {
      read: (offset, size) => transport.read(offset, size),
      write: (offset, data) => {
        transport.write(offset, data);
        if (this.#current?.backend.isResetting !== true) return undefined;
        const answer = new PendingAnswer();
        this.#held.push(answer);
        return answer;
      },
    };
  }

  /** Lets the device go: it ends when its transport is closed. */
  end(): void {
    this.#release();
  }

  /** Ends the process as a crash would; it is started again. */
  crash(): void {
    this.#kill('asked for');
  }

  #supervise(channel: number | undefined): JailSupervisor | undefined {
    const { hal, events, onRefused, jail: choice } = this.#options;
    if (channel === undefined || choice === 'off') return undefined;
    return new JailSupervisor({
      hal,
      events,
      channel,
      choice,
      onRefused: (refused) => {
        onRefused(refused);
        if (choice !== 'log') this.#kill('its jail refused a system call');
      },
      onBroken: (reason) => this.#kill(reason),
    });
  }

  #makeBackend(transport: number, backend: number): VhostUserBackend {
    const { hal, events, features, ram, statusPage, wiring, deviceConfig } = this.#options;
    const kicks: number[] = [];
    for (const { queue, eventfd } of wiring.kicks) kicks[queue] = eventfd;
    return new VhostUserBackend({
      hal,
      events,
      frontend: this.#options.transport,
      transport,
      backend,
      ram,
      statusPage,
      interrupt: wiring.call,
      kicks,
      features,
      config: () => this.#options.transport.config,
      deviceConfig,
      onReset: () => this.#answerHeld(),
      onBroken: (reason) => this.#kill(reason),
    });
  }

  /**
   * What does not follow the protocol, or does not answer, is ended; `exited` follows. A closed transport is no reason of
   * its own: mostly it is closed because the process has just ended.
   */
  #kill(reason?: string): void {
    const current = this.#current;
    if (current === undefined) return;
    current.verdict ??= reason;
    try {
      this.#options.hal.process.kill({ process: current.process, signal: 'SIGKILL' });
    } catch (error) {
      // It was faster.
      if (!HalError.is(error) || error.code !== 'CLOSED_HANDLE') throw error;
    }
  }

  /** A process that could not be jailed is not started again. */
  #ended({ code, signal }: { readonly code: number; readonly signal: string }): void {
    const jail = this.#current?.jail;
    if (jail === undefined) this.#exited(code, signal);
    else jail.onceTold(() => this.#exited(code, signal));
  }

  #exited(code: number, signal: string): void {
    const { events, transport, lane, onRestart, onExit } = this.#options;
    const how = signal === '' ? `ended with code ${code}` : endedBy(signal);
    const verdict = this.#current?.verdict;
    const reason = verdict === undefined ? how : `${how} (${verdict})`;
    this.#release();
    if (onExit === 'stop') {
      throw new DeviceProcessError(
        `the device's process ${reason}. It is not started again (--on-device-exit stop)`,
      );
    }
    const { nowNs } = events;
    const recent = this.#restartsNs.filter((at) => nowNs - at < RESTART_WINDOW_NS);
    if (recent.length >= MAX_RESTARTS) {
      throw new DeviceProcessError(
        `the process of the lane "${lane}" ${reason}, after ${MAX_RESTARTS} restarts within ` +
          `${RESTART_WINDOW_NS / NS_PER_S} s. It is not started again; look at what it wrote to the standard error`,
      );
    }
    this.#restartsNs.splice(0, this.#restartsNs.length, ...recent, nowNs);
    onRestart(`the device's process ${reason}; it is started again`);
    this.#start();
    // Its predecessor may have published used elements and not lived to raise the interrupt for them.
    if ((transport.status & STATUS_DRIVER_OK) !== 0) transport.usedBuffer();
  }

  #answerHeld(): void {
    for (const answer of this.#held.splice(0)) answer.answer();
  }

  #release(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.#options.transport.disconnect();
    current.backend.end();
    current.jail?.end();
    for (const unsubscribe of current.subscriptions) unsubscribe();
    for (const channel of current.channels) this.#options.hal.channel.close({ channel });
    this.#answerHeld();
  }
}

function endedBy(signal: string): string {
  const how = `was ended by ${signal}`;
  if (signal !== 'SIGSYS') return how;
  return `${how} (its jail refused a system call; the audit log has its number, type=1326)`;
}
