import type { VirtioBackend, VirtioFrontend } from './backend.js';
import { type ConfigField, type ConfigSnapshot, ConfigSpace } from './config-space.js';
import { FEATURE_VERSION_1, type FeatureSet, hasFeature, notOffered } from './features.js';
import { GuestFaults } from './guest-faults.js';
import { INTERRUPT_CONFIG_CHANGE, INTERRUPT_USED_BUFFER, type InterruptLine } from './interrupt.js';
import {
  MMIO,
  MMIO_CONFIG_OFFSET,
  MMIO_MAGIC,
  MMIO_VERSION,
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FAILED,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
} from './mmio-registers.js';
import { QueueRegisters, type QueueRegistersSnapshot } from './queue-registers.js';
import type { RegisterPage } from './register-page.js';

export interface MmioTransportOptions {
  readonly deviceId: number;
  readonly vendorId?: number;
  /** What the device offers; VERSION_1 must be among it. */
  readonly features: FeatureSet;
  /** QueueNumMax of each queue. */
  readonly queueSizes: readonly number[];
  /** The config space at first. */
  readonly config: Uint8Array;
  readonly driverFields: readonly ConfigField[];
  /** The fields that a driver which starts over finds at zero. Default: those that it writes. */
  readonly resetFields?: readonly ConfigField[];
  readonly interrupt: InterruptLine;
  /** Where the guest reads the registers, if not from here. */
  readonly page?: RegisterPage | undefined;
  readonly faults?: GuestFaults;
}

export interface MmioTransportSnapshot {
  readonly status: number;
  readonly deviceFeaturesSel: number;
  readonly driverFeaturesSel: number;
  readonly driverFeatures: FeatureSet;
  readonly queues: QueueRegistersSnapshot;
  readonly config: ConfigSnapshot;
}

const REGISTER_BYTES = 4;
const NO_SHARED_MEMORY = 0xffffffff;
const DEFAULT_VENDOR = 0x59_4c_41_48;

/** The way from nothing to a running driver, one bit at a time. */
const NEXT_STATUS: ReadonlyMap<number, number> = new Map([
  [0, STATUS_ACKNOWLEDGE],
  [STATUS_ACKNOWLEDGE, STATUS_ACKNOWLEDGE | STATUS_DRIVER],
  [STATUS_ACKNOWLEDGE | STATUS_DRIVER, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK],
  [
    STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK,
    STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK,
  ],
]);

/**
 * The registers and the config space of a virtio-mmio device, version 2 (virtio 1.2, 4.2). They outlive the device behind
 * them: a backend may be disconnected and another connected while the driver runs.
 */
export class MmioTransport implements VirtioFrontend {
  readonly faults: GuestFaults;
  readonly #options: MmioTransportOptions;
  readonly #interrupt: InterruptLine;
  readonly #queues: QueueRegisters;
  readonly #config: ConfigSpace;
  #backend: VirtioBackend | undefined;
  /** The driver set the rings up and no device has used them yet. */
  #ringsAreNew = true;
  #backendActive = false;
  #status = 0;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #featuresLow = 0;
  #featuresHigh = 0;

  constructor(options: MmioTransportOptions) {
    if (!hasFeature(options.features, FEATURE_VERSION_1)) {
      throw new RangeError('virtio-mmio version 2 has to offer VERSION_1');
    }
    this.#options = options;
    this.faults = options.faults ?? new GuestFaults();
    this.#interrupt = options.interrupt;
    this.#queues = new QueueRegisters(options.queueSizes);
    this.#config = new ConfigSpace(options.config, options.driverFields, options.resetFields);
    this.#showAll();
  }

  get status(): number {
    return this.#status;
  }

  get driverFeatures(): FeatureSet {
    return { low: this.#featuresLow, high: this.#featuresHigh };
  }

  /** A copy of the config space. */
  get config(): Uint8Array {
    return this.#config.bytes;
  }

  /**
   * Puts a device behind the registers. If the driver is running, the device starts at once, unless it was restored from
   * a snapshot and so is `active` already.
   */
  connect(backend: VirtioBackend, state: 'inactive' | 'active' = 'inactive'): void {
    this.#backend = backend;
    this.#backendActive = state === 'active';
    if (state === 'inactive' && this.#isRunning()) this.#activate();
  }

  /** The device is gone. What the driver does meanwhile is served when the next one is connected. */
  disconnect(): void {
    this.#backend = undefined;
    this.#backendActive = false;
  }

  /**
   * A guest's read.
   *
   * @param offset into the device's window of 0x200 bytes.
   * @returns `size` bytes; zeros where there is nothing to read.
   */
  read(offset: number, size: number): Uint8Array {
    if (offset >= MMIO_CONFIG_OFFSET) {
      const found = this.#config.read(offset - MMIO_CONFIG_OFFSET, size);
      if (found === undefined) this.faults.count('config-access');
      return found ?? new Uint8Array(size);
    }
    const answer = new Uint8Array(size);
    if (size !== REGISTER_BYTES || offset % REGISTER_BYTES !== 0) {
      this.faults.count('register-access');
      return answer;
    }
    new DataView(answer.buffer).setUint32(0, this.#readRegister(offset), true);
    return answer;
  }

  /** A guest's write. */
  write(offset: number, bytes: Uint8Array): void {
    if (offset >= MMIO_CONFIG_OFFSET) {
      this.#writeConfig(offset - MMIO_CONFIG_OFFSET, bytes);
      return;
    }
    if (bytes.length !== REGISTER_BYTES || offset % REGISTER_BYTES !== 0) {
      this.faults.count('register-access');
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#writeRegister(offset, view.getUint32(0, true));
    // The two that a running driver writes change nothing that it reads here.
    if (offset !== MMIO.queueNotify && offset !== MMIO.interruptAck) this.#showAll();
  }

  usedBuffer(): void {
    this.#interrupt.raise(INTERRUPT_USED_BUFFER);
  }

  configChanged(offset: number, bytes: Uint8Array): void {
    const changed = this.#config.writeByDevice(offset, bytes);
    if (changed) this.#showAll();
    if (changed && this.#isRunning()) this.#interrupt.raise(INTERRUPT_CONFIG_CHANGE);
  }

  needsReset(): void {
    if ((this.#status & STATUS_NEEDS_RESET) !== 0) return;
    this.#status |= STATUS_NEEDS_RESET;
    this.#showAll();
    if (this.#isRunning()) this.#interrupt.raise(INTERRUPT_CONFIG_CHANGE);
  }

  snapshot(): MmioTransportSnapshot {
    return {
      status: this.#status,
      deviceFeaturesSel: this.#deviceFeaturesSel,
      driverFeaturesSel: this.#driverFeaturesSel,
      driverFeatures: this.driverFeatures,
      queues: this.#queues.snapshot(),
      config: this.#config.snapshot(),
    };
  }

  /** Takes over a snapshot's registers. A device that was active is restored by itself and then connected. */
  restore(snapshot: MmioTransportSnapshot): void {
    this.#status = snapshot.status;
    this.#deviceFeaturesSel = snapshot.deviceFeaturesSel;
    this.#driverFeaturesSel = snapshot.driverFeaturesSel;
    this.#featuresLow = snapshot.driverFeatures.low;
    this.#featuresHigh = snapshot.driverFeatures.high;
    this.#queues.restore(snapshot.queues);
    this.#config.restore(snapshot.config);
    this.#ringsAreNew = !this.#isRunning();
    this.#showAll();
  }

  #showAll(): void {
    const { page } = this.#options;
    page?.showConfig(this.#config.bytes);
    page?.showRegisters((offset) => this.#readRegister(offset));
  }

  #isRunning(): boolean {
    return (this.#status & STATUS_DRIVER_OK) !== 0;
  }

  #readRegister(offset: number): number {
    const { features } = this.#options;
    switch (offset) {
      case MMIO.magicValue:
        return MMIO_MAGIC;
      case MMIO.version:
        return MMIO_VERSION;
      case MMIO.deviceId:
        return this.#options.deviceId;
      case MMIO.vendorId:
        return this.#options.vendorId ?? DEFAULT_VENDOR;
      case MMIO.deviceFeatures:
        if (this.#deviceFeaturesSel > 1) return 0;
        return this.#deviceFeaturesSel === 0 ? features.low : features.high;
      case MMIO.queueNumMax:
        return this.#queues.maxSize;
      case MMIO.queueReady:
        return this.#queues.isReady(this.#queues.selected) ? 1 : 0;
      case MMIO.interruptStatus:
        return this.#interrupt.read();
      case MMIO.status:
        return this.#status;
      case MMIO.shmLenLow:
      case MMIO.shmLenHigh:
      case MMIO.shmBaseLow:
      case MMIO.shmBaseHigh:
        return NO_SHARED_MEMORY;
      case MMIO.configGeneration:
        return this.#config.generation;
      default:
        this.faults.count('register-access');
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    if (QueueRegisters.isQueueRegister(offset)) {
      this.#writeQueueRegister(offset, value);
      return;
    }
    switch (offset) {
      case MMIO.deviceFeaturesSel:
        this.#deviceFeaturesSel = value;
        return;
      case MMIO.driverFeaturesSel:
        this.#driverFeaturesSel = value;
        return;
      case MMIO.driverFeatures:
        this.#writeDriverFeatures(value);
        return;
      case MMIO.queueSel:
        this.#queues.selected = value;
        return;
      case MMIO.queueNotify:
        this.#notify(value);
        return;
      case MMIO.interruptAck:
        this.#interrupt.clear(value);
        return;
      case MMIO.status:
        this.#writeStatus(value);
        return;
      case MMIO.shmSel:
        return;
      default:
        this.faults.count('register-access');
    }
  }

  /** Queue registers count from FEATURES_OK until DRIVER_OK, and not after FAILED. */
  #writeQueueRegister(offset: number, value: number): void {
    const settled = STATUS_FEATURES_OK | STATUS_DRIVER_OK | STATUS_FAILED;
    const allowed = (this.#status & settled) === STATUS_FEATURES_OK;
    if (!allowed || !this.#queues.write(offset, value)) this.faults.count('register-state');
  }

  #writeDriverFeatures(value: number): void {
    if (this.#status !== (STATUS_ACKNOWLEDGE | STATUS_DRIVER)) {
      this.faults.count('register-state');
      return;
    }
    const { features } = this.#options;
    const word = this.#driverFeaturesSel;
    const wanted = { low: word === 0 ? value : 0, high: word === 1 ? value : 0 };
    const isOutside = word > 1 && value !== 0;
    if (isOutside || notOffered(wanted, features) !== undefined) {
      this.faults.count('feature-not-offered');
    }
    if (word === 0) this.#featuresLow = (value & features.low) >>> 0;
    if (word === 1) this.#featuresHigh = (value & features.high) >>> 0;
  }

  #notify(index: number): void {
    if (!this.#queues.exists(index)) this.faults.count('bad-notify');
    else if (this.#backendActive && this.#queues.isReady(index)) this.#backend?.queueNotify(index);
  }

  #writeConfig(offset: number, bytes: Uint8Array): void {
    const settled = STATUS_DRIVER | STATUS_FAILED;
    const allowed = (this.#status & settled) === STATUS_DRIVER;
    if (!allowed || !this.#config.writeByDriver(offset, bytes)) {
      this.faults.count('config-access');
      return;
    }
    // Before anybody hears of it: whoever does may end the machine, and the page with it.
    this.#options.page?.showConfig(this.#config.bytes);
    this.#backend?.configWritten(offset, bytes);
  }

  /** NEEDS_RESET is the device's bit: whether a driver writes it back says nothing. */
  #writeStatus(value: number): void {
    if (value === 0) {
      this.#reset();
      return;
    }
    const wanted = (value & ~STATUS_NEEDS_RESET) >>> 0;
    const current = this.#status & ~STATUS_NEEDS_RESET;
    if (wanted === current) return;
    if ((wanted & STATUS_FAILED) !== 0) {
      this.#status |= STATUS_FAILED;
      return;
    }
    if (NEXT_STATUS.get(current) !== wanted) {
      this.faults.count('bad-status');
      return;
    }
    this.#step(wanted);
  }

  #step(wanted: number): void {
    const gainsFeaturesOk = (wanted & ~this.#status & STATUS_FEATURES_OK) !== 0;
    if (gainsFeaturesOk && !hasFeature(this.driverFeatures, FEATURE_VERSION_1)) {
      this.faults.count('features-refused');
      return;
    }
    this.#status = wanted | (this.#status & STATUS_NEEDS_RESET);
    this.#showAll();
    if (this.#isRunning()) this.#activate();
  }

  #activate(): void {
    const backend = this.#backend;
    if (backend === undefined) return;
    const queues = this.#queues.setups(this.#ringsAreNew ? 0 : undefined);
    const activation = { features: this.driverFeatures, queues, config: this.#config.bytes };
    const refused = queues.length === 0 || backend.activate(activation) !== undefined;
    if (refused) {
      this.faults.count('activation-refused');
      this.needsReset();
      return;
    }
    this.#ringsAreNew = false;
    this.#backendActive = true;
    // A kick from before the activation was dropped: look into each queue once.
    for (const queue of queues) backend.queueNotify(queue.index);
  }

  #reset(): void {
    // First of all: what the device still says interrupts nobody any more.
    this.#status = 0;
    if (this.#backendActive) this.#backend?.reset();
    this.#backendActive = false;
    this.#ringsAreNew = true;
    this.#deviceFeaturesSel = 0;
    this.#driverFeaturesSel = 0;
    this.#featuresLow = 0;
    this.#featuresHigh = 0;
    this.#queues.reset();
    this.#config.reset();
    this.#interrupt.clear(0xffffffff);
  }
}
