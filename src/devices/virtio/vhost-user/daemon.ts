import type { Channel } from '../../../hal/channel.js';
import type { HalOf } from '../../../hal/contract/define.js';
import { HalError } from '../../../hal/contract/errors.js';
import type { EventFd } from '../../../hal/event-fd.js';
import type { Mmap } from '../../../hal/mmap.js';
import type { EventSource } from '../../../reactor/reactor.js';
import type { QueueSetup, VirtioBackend, VirtioFrontend } from '../backend.js';
import { type FeatureSet, featureSet, notOffered } from '../features.js';
import type { RamPart } from '../guest-memory.js';
import { INTERRUPT_USED_BUFFER } from '../interrupt.js';
import { STATUS_DRIVER_OK } from '../mmio-registers.js';
import {
  decodeRequest,
  encodeBackendRequest,
  encodeRefusal,
  encodeReply,
  numberReply,
} from './codec.js';
import { DaemonMemory } from './daemon-memory.js';
import type { Reply, Request, WireRefusal } from './messages.js';
import { FEATURE_PROTOCOL_FEATURES, PROTOCOL_FEATURES } from './protocol.js';
import { Vring } from './vring.js';

/** The HAL that a device's process uses. */
export interface DaemonHal {
  readonly mmap: HalOf<typeof Mmap>;
  readonly eventFd: HalOf<typeof EventFd>;
  readonly channel: HalOf<typeof Channel>;
}

export interface DaemonOptions {
  readonly hal: DaemonHal;
  readonly events: Pick<EventSource, 'on'>;
  /** Handles of the two channels. */
  readonly transport: number;
  readonly backend: number;
  /** What the device offers a driver. */
  readonly features: FeatureSet;
  readonly queues: number;
  /** The config space at first. */
  readonly config: Uint8Array;
  /** Makes the device, when the front-end has said where guest memory is. */
  readonly makeDevice: (ram: readonly RamPart[], frontend: VirtioFrontend) => VirtioBackend;
  /** The config space is what the front-end wants it to be: from now on the device may be told things. */
  readonly onReady: () => void;
}

/** Why a request that was understood is refused. */
export type RequestRefusal =
  | 'no-such-queue'
  | 'no-memory'
  | 'bad-memory'
  | 'bad-attachment'
  | 'bad-features'
  | 'bad-config'
  | 'ring-incomplete'
  | 'not-activated'
  | 'busy';

type Outcome = Reply | RequestRefusal | 'done';

const DEVICE_PROTOCOL_BIT = featureSet([FEATURE_PROTOCOL_FEATURES]);

/**
 * The device's side of vhost-user: turns a front-end's messages into calls of a `VirtioBackend` and the device's words
 * into signals and messages. A request that makes no sense is counted and refused, and changes nothing.
 *
 * The backend channel is inherited, not sent: a HAL channel carries regions and eventfds only, so SET_BACKEND_REQ_FD
 * comes without a descriptor and means the channel that this process was started with.
 */
export class VhostUserDaemon implements VirtioFrontend {
  /** Requests refused so far, by reason. */
  readonly refusals = new Map<WireRefusal | RequestRefusal, number>();
  readonly #options: DaemonOptions;
  readonly #config: Uint8Array;
  readonly #vrings: Vring[];
  #memory: DaemonMemory | undefined;
  #device: VirtioBackend | undefined;
  #features: FeatureSet = { low: 0, high: 0 };
  #protocolFeatures: FeatureSet = { low: 0, high: 0 };
  #backendInUse = false;
  #isReady = false;
  #status = 0;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#config = options.config.slice();
    this.#vrings = Array.from({ length: options.queues }, () => new Vring(options.hal.eventFd));
  }

  get isActive(): boolean {
    return (this.#status & STATUS_DRIVER_OK) !== 0;
  }

  /** A copy. */
  get config(): Uint8Array {
    return this.#config.slice();
  }

  /** Takes one message of the transport channel. Never throws because of what is in it. */
  handle(data: Uint8Array, attached: readonly number[]): void {
    const decoded = decodeRequest(data);
    if (!decoded.ok) {
      this.#count(decoded.refusal);
      if (decoded.needsReply && decoded.code !== undefined) {
        this.#send(this.#options.transport, encodeRefusal(decoded.code));
      }
      return;
    }
    const { message, needsReply } = decoded;
    const outcome = this.#perform(message, attached);
    if (typeof outcome === 'object') {
      this.#send(this.#options.transport, encodeReply(message.kind, outcome));
      return;
    }
    if (outcome !== 'done') this.#count(outcome);
    // Requests with a reply of their own are answered even when they are refused, or the front-end waits for ever.
    const acknowledges = needsReply && this.#protocolFeatures.low !== 0;
    if (acknowledges || message.kind.startsWith('get-')) {
      const reply = numberReply(outcome === 'done' ? 0 : 1);
      this.#send(this.#options.transport, encodeReply(message.kind, reply));
    }
  }

  /** The device's: with one interrupt for all queues there may be one doorbell only. */
  usedBuffer(): void {
    const { mmap, eventFd } = this.#options.hal;
    const word = this.#memory?.statusWord;
    if (word !== undefined) mmap.orU32({ ...word, mask: INTERRUPT_USED_BUFFER });
    for (const { doorbells } of this.#vrings) {
      const eventfd = doorbells['set-vring-call'];
      if (eventfd !== undefined) eventFd.signal({ eventfd });
    }
  }

  configChanged(offset: number, bytes: Uint8Array): void {
    if (bytes.every((byte, index) => this.#config[offset + index] === byte)) return;
    this.#config.set(bytes, offset);
    if (this.#backendInUse) {
      this.#send(this.#options.backend, encodeBackendRequest('config-change'));
    }
  }

  needsReset(): void {
    const eventfd = this.#vrings.find(({ doorbells }) => doorbells['set-vring-err'] !== undefined)
      ?.doorbells['set-vring-err'];
    if (eventfd !== undefined) this.#options.hal.eventFd.signal({ eventfd });
  }

  #perform(request: Request, attached: readonly number[]): Outcome {
    const takesAttachments =
      request.kind === 'set-mem-table' || ('attached' in request && request.attached);
    if (!takesAttachments && attached.length > 0) return 'bad-attachment';
    switch (request.kind) {
      case 'get-features': {
        const { low, high } = this.#options.features;
        return numberReply((low | DEVICE_PROTOCOL_BIT.low) >>> 0, high);
      }
      case 'get-protocol-features':
        return numberReply(PROTOCOL_FEATURES.low, PROTOCOL_FEATURES.high);
      case 'set-owner':
        return 'done';
      case 'set-features':
        return this.#setFeatures(request.features);
      case 'set-protocol-features':
        if (notOffered(request.features, PROTOCOL_FEATURES) !== undefined) return 'bad-features';
        this.#protocolFeatures = request.features;
        return 'done';
      case 'set-backend-req-fd':
        this.#backendInUse = true;
        return 'done';
      case 'set-mem-table':
        return this.#setMemTable(request, attached);
      case 'get-config':
        return this.#getConfig(request);
      case 'set-config':
        return this.#setConfig(request);
      case 'get-status':
        return numberReply(this.#status);
      case 'set-status':
        return this.#setStatus(request.status);
      default:
        return this.#performOnRing(request, attached);
    }
  }

  #performOnRing(
    request: Extract<Request, { readonly index: number }>,
    attached: readonly number[],
  ): Outcome {
    const vring = this.#vrings[request.index];
    if (vring === undefined) return 'no-such-queue';
    if (request.kind === 'get-vring-base') {
      const value = this.#nextAvail(request.index, vring);
      vring.base = value;
      vring.stop();
      return { kind: 'vring-state', index: request.index, value };
    }
    // A ring in use does not change its shape.
    if (this.isActive) return 'busy';
    switch (request.kind) {
      case 'set-vring-num':
        vring.size = request.value;
        return 'done';
      case 'set-vring-base':
        vring.base = request.value & 0xffff;
        return 'done';
      case 'set-vring-enable':
        vring.enabled = request.value === 1;
        return 'done';
      case 'set-vring-addr':
        vring.descriptors = request.descriptors;
        vring.used = request.used;
        vring.avail = request.avail;
        vring.hasAddresses = true;
        return 'done';
      case 'set-vring-kick':
      case 'set-vring-call':
      case 'set-vring-err':
        return vring.setDoorbell(request, attached) ? 'done' : 'bad-attachment';
    }
  }

  #setFeatures(wanted: FeatureSet): Outcome {
    const low = (wanted.low & ~DEVICE_PROTOCOL_BIT.low) >>> 0;
    const features = { low, high: wanted.high };
    if (this.isActive) return 'busy';
    if (notOffered(features, this.#options.features) !== undefined) return 'bad-features';
    this.#features = features;
    return 'done';
  }

  #setMemTable(
    { regions }: Extract<Request, { kind: 'set-mem-table' }>,
    attached: readonly number[],
  ): Outcome {
    if (this.isActive) return 'busy';
    const memory = DaemonMemory.adopt(this.#options.hal.mmap, regions, attached);
    if (memory === undefined) return 'bad-memory';
    this.#memory?.close();
    this.#memory = memory;
    this.#device = this.#options.makeDevice(memory.ram, this);
    return 'done';
  }

  #getConfig({ offset, size }: Extract<Request, { kind: 'get-config' }>): Outcome {
    const bytes = this.#config.slice(offset, offset + size);
    const isWhole = bytes.length === size;
    if (!isWhole) this.#count('bad-config');
    return { kind: 'config', offset, bytes: isWhole ? bytes : new Uint8Array(0) };
  }

  #setConfig(request: Extract<Request, { kind: 'set-config' }>): Outcome {
    const { offset, bytes, purpose } = request;
    if (offset + bytes.length > this.#config.length) return 'bad-config';
    if (this.#device === undefined) return 'no-memory';
    this.#config.set(bytes, offset);
    if (purpose === 'restore') this.#becomeReady();
    else this.#device.configWritten(offset, bytes);
    return 'done';
  }

  #setStatus(status: number): Outcome {
    if (status === 0) {
      this.#reset();
      return 'done';
    }
    if ((status & STATUS_DRIVER_OK) === 0 || this.isActive) {
      this.#status = status | (this.#status & STATUS_DRIVER_OK);
      return 'done';
    }
    const refusal = this.#activate();
    if (refusal === undefined) this.#status = status;
    return refusal ?? 'done';
  }

  #activate(): RequestRefusal | undefined {
    const { events } = this.#options;
    const device = this.#device;
    if (device === undefined) return 'no-memory';
    const queues: QueueSetup[] = [];
    for (const [index, vring] of this.#vrings.entries()) {
      if (!vring.enabled) continue;
      const setup = this.#queueSetup(index, vring);
      if (setup === undefined) return 'ring-incomplete';
      queues.push(setup);
    }
    this.#becomeReady();
    const activation = { features: this.#features, queues, config: this.config };
    if (device.activate(activation) !== undefined) return 'not-activated';
    for (const { index } of queues) {
      const vring = this.#vrings[index];
      vring?.start(events, () => device.queueNotify(index));
    }
    return undefined;
  }

  #queueSetup(index: number, vring: Vring): QueueSetup | undefined {
    const descriptors = this.#memory?.toGuest(vring.descriptors);
    const avail = this.#memory?.toGuest(vring.avail);
    const used = this.#memory?.toGuest(vring.used);
    const isComplete = vring.hasAddresses && vring.doorbells['set-vring-kick'] !== undefined;
    if (!isComplete || descriptors === undefined) return undefined;
    if (avail === undefined || used === undefined) return undefined;
    return { index, size: vring.size, descriptors, avail, used, nextAvail: vring.base };
  }

  #becomeReady(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.onReady();
  }

  #reset(): void {
    if (this.isActive) this.#device?.reset();
    this.#status = 0;
    this.#vrings.forEach((vring, index) => {
      vring.close();
      this.#vrings[index] = new Vring(this.#options.hal.eventFd);
    });
  }

  /** Every taken element is given back within the turn that took it, so the used index says where to go on. */
  #nextAvail(index: number, vring: Vring): number {
    const setup = this.isActive ? this.#queueSetup(index, vring) : undefined;
    const part = this.#memory?.ram.find(
      ({ address, size }) =>
        setup !== undefined && setup.used >= address && setup.used + 4 <= address + size,
    );
    if (setup === undefined || part === undefined) return vring.base;
    const offset = part.offset + (setup.used + 2 - part.address);
    return this.#options.hal.mmap.loadAcquireU16({ region: part.region, offset });
  }

  /** A front-end that does not read, or is gone, hears nothing; the end of the channel is an event of its own. */
  #send(channel: number, data: Uint8Array): void {
    try {
      this.#options.hal.channel.send({ channel, data, attach: [] });
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
    }
  }

  #count(reason: WireRefusal | RequestRefusal): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
  }
}
