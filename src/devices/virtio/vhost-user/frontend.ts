import { Channel } from '../../../hal/channel.js';
import type { Clock } from '../../../hal/clock.js';
import type { HalOf } from '../../../hal/contract/define.js';
import { EventFd } from '../../../hal/event-fd.js';
import type { Mmap } from '../../../hal/mmap.js';
import type { EventSource } from '../../../reactor/reactor.js';
import type { Activation, ActivationRefusal, VirtioBackend, VirtioFrontend } from '../backend.js';
import type { ConfigField } from '../config-space.js';
import { type FeatureSet, notOffered } from '../features.js';
import { GuestMemory, type RamPart } from '../guest-memory.js';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '../mmio-registers.js';
import { AnswerDeadline } from './answer-deadline.js';
import { decodeBackendRequest } from './codec.js';
import { Conversation } from './conversation.js';
import type { MemRegion, Reply, Request } from './messages.js';
import {
  FEATURE_PROTOCOL_FEATURES,
  PROTOCOL_FEATURES,
  REGISTER_PAGE_ADDRESS,
  STATUS_PAGE_ADDRESS,
  USER_ADDRESS_OFFSET,
} from './protocol.js';

/** The HAL that the front-end uses. */
export interface FrontendHal {
  readonly mmap: HalOf<typeof Mmap>;
  readonly eventFd: HalOf<typeof EventFd>;
  readonly channel: HalOf<typeof Channel>;
  readonly clock: HalOf<typeof Clock>;
}

/** What a device elsewhere has to be told, and what of it is ours to serve. */
export interface FrontendOptions {
  readonly hal: FrontendHal;
  readonly events: Pick<EventSource, 'on' | 'nowNs'>;
  readonly frontend: VirtioFrontend;
  /** Handles of the two channels: requests go over the first, the device speaks unasked over the second. */
  readonly transport: number;
  readonly backend: number;
  readonly ram: readonly RamPart[];
  /** The region with the InterruptStatus word: at its start, or among all registers (`RegisterPage`). */
  readonly statusPage: {
    readonly region: number;
    readonly size: number;
    readonly hasRegisters: boolean;
  };
  /** Raises the guest's interrupt. */
  readonly interrupt: number;
  /** One eventfd for each queue. */
  readonly kicks: readonly number[];
  /** What the transport offers the driver; a device that lacks any of it is no device for us. */
  readonly features: FeatureSet;
  /** The config space as it stands: a device that is started again gets it back. */
  readonly config: () => Uint8Array;
  /** The fields of the config space that are the device's, not the driver's; ascending. */
  readonly deviceConfig: readonly ConfigField[];
  /** The device has confirmed a reset: it touches no ring of the old driver any more. */
  readonly onReset: () => void;
  /** Called once: this device will not answer any more and should be ended. */
  readonly onBroken: (reason: string) => void;
}

const RUNNING = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
const RING_INDEX_OFFSET = 2;

/**
 * A device in another process, behind the registers of this one. Each call sends messages and returns; replies come as
 * events of their own, in the order of the requests. Until the greeting is over, an activation waits.
 */
export class VhostUserBackend implements VirtioBackend {
  readonly #options: FrontendOptions;
  readonly #memory: GuestMemory;
  readonly #conversation: Conversation;
  readonly #subscriptions: (() => void)[] = [];
  #isReady = false;
  #waiting: Activation | undefined;
  #isActive = false;
  #pendingResets = 0;
  /** Signalled by the device when a ring is broken. One for each activation: an old one says nothing of the new. */
  #ringError: { readonly eventfd: number; readonly unsubscribe: () => void } | undefined;
  #configRead: 'idle' | 'asked' | 'ask-again' = 'idle';

  constructor(options: FrontendOptions) {
    this.#options = options;
    this.#memory = new GuestMemory(options.hal.mmap, options.ram);
    const { hal, events, transport } = options;
    const deadline = new AnswerDeadline(hal.clock, events, () =>
      this.#break(`the device hangs: it does not answer ${this.#conversation.oldest}`),
    );
    this.#conversation = new Conversation(hal.channel, transport, deadline, (reason) =>
      this.#break(reason),
    );
  }

  /** Greets the device. The transport may be connected to it at once. */
  start(): void {
    const { events, transport, backend, hal } = this.#options;
    this.#subscriptions.push(
      events.on(Channel, 'message', transport, ({ data, attached }) =>
        this.#conversation.take(data, attached),
      ),
      events.on(Channel, 'message', backend, ({ data, attached }) =>
        this.#takeRequest(data, attached),
      ),
    );
    hal.channel.listen({ channel: transport });
    hal.channel.listen({ channel: backend });
    this.#conversation.ask({ kind: 'get-features' }, (reply) => this.#checkFeatures(reply));
    this.#conversation.ask({ kind: 'get-protocol-features' }, (reply) => this.#greet(reply));
  }

  /** Ends the conversation: the process is gone or about to be. The channels are the caller's to close. */
  end(): void {
    this.#conversation.end();
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#closeRingError();
  }

  /** Refuses what cannot even be said to the device; whatever else is wrong comes as `needsReset`. */
  activate(activation: Activation): ActivationRefusal | undefined {
    const outside = activation.queues.find(
      ({ descriptors, avail, used }) =>
        this.#memory.check(descriptors, 1) !== 'ok' ||
        this.#memory.check(avail, 1) !== 'ok' ||
        this.#memory.check(used, RING_INDEX_OFFSET + 2) !== 'ok',
    );
    if (outside !== undefined) return { reason: 'outside-ram', queue: outside.index };
    const crooked = activation.queues.find(({ used }) => used % 4 !== 0);
    if (crooked !== undefined) return { reason: 'misaligned', queue: crooked.index };
    if (this.#isReady) this.#activate(activation);
    else this.#waiting = activation;
    return undefined;
  }

  /** The device may still be busy with a ring: the guest has to wait until no reset is pending. */
  reset(): void {
    this.#waiting = undefined;
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#closeRingError();
    this.#pendingResets++;
    this.#tell({ kind: 'set-status', status: 0 }, [], () => {
      this.#pendingResets--;
      this.#options.onReset();
    });
  }

  get isResetting(): boolean {
    return this.#pendingResets > 0 && !this.#conversation.isOver;
  }

  queueNotify(index: number): void {
    const eventfd = this.#options.kicks[index];
    if (eventfd !== undefined) this.#options.hal.eventFd.signal({ eventfd });
  }

  /** Before the greeting is over nothing need be sent: it ends with the whole config space. */
  configWritten(offset: number, bytes: Uint8Array): void {
    if (this.#isReady) this.#tell({ kind: 'set-config', offset, purpose: 'driver', bytes });
  }

  #checkFeatures(reply: Reply): void {
    const offered = reply.kind === 'number' ? reply.features : { low: 0, high: 0 };
    const needed = {
      low: (this.#options.features.low | (1 << FEATURE_PROTOCOL_FEATURES)) >>> 0,
      high: this.#options.features.high,
    };
    if (notOffered(needed, offered) === undefined) return;
    this.#break('the device does not offer the features that the driver may have negotiated');
  }

  #greet(reply: Reply): void {
    const offered = reply.kind === 'number' ? reply.features : { low: 0, high: 0 };
    if (notOffered(PROTOCOL_FEATURES, offered) !== undefined) {
      this.#break('the device lacks a protocol feature: REPLY_ACK, BACKEND_REQ, CONFIG or STATUS');
      return;
    }
    // Acknowledgements are negotiated by this very request, so it has none.
    this.#conversation.say({ kind: 'set-protocol-features', features: PROTOCOL_FEATURES });
    this.#tell({ kind: 'set-owner' });
    this.#tell({ kind: 'set-backend-req-fd' });
    this.#sendMemory();
    this.#tell({
      kind: 'set-config',
      offset: 0,
      purpose: 'restore',
      bytes: this.#options.config(),
    });
    this.#isReady = true;
    const activation = this.#waiting;
    this.#waiting = undefined;
    if (activation !== undefined) this.#activate(activation);
  }

  #sendMemory(): void {
    const { ram, statusPage } = this.#options;
    const status = {
      address: statusPage.hasRegisters ? REGISTER_PAGE_ADDRESS : STATUS_PAGE_ADDRESS,
      size: statusPage.size,
      region: statusPage.region,
      offset: 0,
    };
    const parts = [...ram, status];
    const regions: MemRegion[] = parts.map(({ address, size, offset }) => ({
      guestAddress: address,
      size,
      userAddress: userAddress(address),
      mmapOffset: offset,
    }));
    this.#tell(
      { kind: 'set-mem-table', regions },
      parts.map(({ region }) => region),
    );
  }

  #activate({ features, queues, config }: Activation): void {
    const { hal, interrupt, kicks } = this.#options;
    this.#isActive = true;
    const ringError = this.#openRingError();
    this.#sendDriverConfig(config);
    const low = (features.low | (1 << FEATURE_PROTOCOL_FEATURES)) >>> 0;
    this.#tell({ kind: 'set-features', features: { low, high: features.high } });
    queues.forEach(({ index, size, descriptors, avail, used, nextAvail }, position) => {
      const value = nextAvail ?? this.#memory.loadAcquireU16(used + RING_INDEX_OFFSET);
      this.#tell({ kind: 'set-vring-num', index, value: size });
      this.#tell({ kind: 'set-vring-base', index, value });
      this.#tell({
        kind: 'set-vring-addr',
        index,
        flags: 0,
        descriptors: userAddress(descriptors),
        used: userAddress(used),
        avail: userAddress(avail),
      });
      this.#tell({ kind: 'set-vring-kick', index, attached: true }, [kicks[index] ?? 0]);
      // The device has one interrupt for all its queues, so one of them carries it.
      const isFirst = position === 0;
      this.#tell({ kind: 'set-vring-call', index, attached: isFirst }, isFirst ? [interrupt] : []);
      this.#tell({ kind: 'set-vring-err', index, attached: isFirst }, isFirst ? [ringError] : []);
      this.#tell({ kind: 'set-vring-enable', index, value: 1 });
    });
    hal.eventFd.watch({ eventfd: ringError, on: true });
    this.#tell({ kind: 'set-status', status: RUNNING });
  }

  /** A driver that started over finds its fields at zero, and so must the device. The device's own fields are its own. */
  #sendDriverConfig(config: Uint8Array): void {
    let start = 0;
    for (const { offset, size } of [
      ...this.#options.deviceConfig,
      { offset: config.length, size: 0 },
    ]) {
      if (start < offset) {
        const bytes = config.slice(start, offset);
        this.#tell({ kind: 'set-config', offset: start, purpose: 'driver', bytes });
      }
      start = offset + size;
    }
  }

  #openRingError(): number {
    this.#closeRingError();
    const { hal, events, frontend } = this.#options;
    const eventfd = hal.eventFd.create({ name: 'vring-error' });
    const unsubscribe = events.on(EventFd, 'signalled', eventfd, () => frontend.needsReset());
    this.#ringError = { eventfd, unsubscribe };
    return eventfd;
  }

  #closeRingError(): void {
    if (this.#ringError === undefined) return;
    const { eventfd, unsubscribe } = this.#ringError;
    this.#ringError = undefined;
    unsubscribe();
    this.#options.hal.eventFd.close({ eventfd });
  }

  /** Sends a request that is only acknowledged. A refusal means that the driver's set-up is no good. */
  #tell(request: Request, attach: readonly number[] = [], done = () => {}): void {
    const activation = this.#ringError;
    this.#conversation.tell(request, attach, (succeeded) => {
      if (succeeded) done();
      // What no driver had a say in is a disagreement of ours and the device's.
      else if (activation === undefined) this.#break(`the device refused ${request.kind}`);
      else if (activation === this.#ringError) this.#options.frontend.needsReset();
    });
  }

  #takeRequest(data: Uint8Array, attached: readonly number[]): void {
    const decoded = decodeBackendRequest(data);
    if (!decoded.ok || attached.length > 0) {
      const what = decoded.ok ? 'descriptors nobody wants' : decoded.refusal;
      this.#break(`the device sent a malformed request (${what})`);
    } else this.#readConfig();
  }

  /** However often the device says so, one question for each of its fields is under way. */
  #readConfig(): void {
    if (this.#configRead !== 'idle') {
      this.#configRead = 'ask-again';
      return;
    }
    this.#configRead = 'asked';
    const fields = this.#options.deviceConfig;
    fields.forEach((field, position) => {
      this.#conversation.ask({ kind: 'get-config', ...field }, (reply) => {
        this.#takeConfig(field, reply);
        if (position === fields.length - 1) this.#configWasRead();
      });
    });
  }

  #configWasRead(): void {
    const again = this.#configRead === 'ask-again';
    this.#configRead = 'idle';
    if (again) this.#readConfig();
  }

  #takeConfig({ offset, size }: ConfigField, reply: Reply): void {
    if (reply.kind !== 'config' || reply.offset !== offset || reply.bytes.length !== size) {
      this.#break('the device does not say what is in its config space');
    } else this.#options.frontend.configChanged(offset, reply.bytes);
  }

  #break(reason: string): void {
    if (this.#conversation.isOver) return;
    this.end();
    this.#options.onBroken(reason);
  }
}

function userAddress(guestAddress: number): number {
  return guestAddress + USER_ADDRESS_OFFSET;
}
