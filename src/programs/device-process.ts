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
import { type BusDevice, PendingAnswer } from '../machine/bus.js';
import type { MmioWiring } from '../machine/mmio-slots.js';
import type { EventSource } from '../reactor/reactor.js';

/** In which slot a device's process finds each of its channels. */
export const DEVICE_SLOTS = { transport: 0, control: 1, backend: 2 } as const;

const MAX_RESTARTS = 5;
const RESTART_WINDOW_NS: Nanoseconds = 10 * NS_PER_S;

/** A device's process ends again and again: the run is over. */
export class DeviceProcessError extends Error {
  override readonly name = 'DeviceProcessError';
  readonly code = 'DEVICE_GAVE_UP';
}

export interface DeviceProcessOptions
  extends Pick<FrontendOptions, 'features' | 'ram' | 'statusPage' | 'deviceConfig'> {
  readonly hal: FrontendHal & { readonly process: HalOf<typeof Process> };
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
}

interface Incarnation {
  readonly process: number;
  readonly backend: VhostUserBackend;
  readonly channels: readonly number[];
  readonly subscriptions: readonly (() => void)[];
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

  /** Starts the first incarnation. @throws HalError if no process can be started. */
  start(): void {
    const { hal, events, transport, lane, onControl, configWritten } = this.#options;
    const requests = hal.channel.pair({ name: 'transport' });
    const control = hal.channel.pair({ name: 'control' });
    const replies = hal.channel.pair({ name: 'backend' });
    const give = [requests.far, control.far, replies.far];
    const process = hal.process.spawn({ lane, give });
    const backend = this.#makeBackend(requests.near, replies.near);
    this.#current = {
      process,
      backend,
      channels: [requests.near, control.near, replies.near],
      subscriptions: [
        events.on(Process, 'exited', process, ({ code, signal }) => this.#exited(code, signal)),
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

  #exited(code: number, signal: string): void {
    const { events, transport, lane, onRestart } = this.#options;
    const how = signal === '' ? `ended with code ${code}` : `was ended by ${signal}`;
    const verdict = this.#current?.verdict;
    const reason = verdict === undefined ? how : `${how} (${verdict})`;
    this.#release();
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
    this.start();
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
    for (const unsubscribe of current.subscriptions) unsubscribe();
    for (const channel of current.channels) this.#options.hal.channel.close({ channel });
    this.#answerHeld();
  }
}
