import type { HalOf } from '../../hal/contract/define.js';
import type { Disk } from '../../hal/disk.js';
import type { Mmap } from '../../hal/mmap.js';
import { SnapshotError } from '../snapshot-error.js';
import type {
  Activation,
  ActivationRefusal,
  VirtioBackend,
  VirtioFrontend,
} from '../virtio/backend.js';
import { type FeatureSet, hasFeature, notOffered, sameFeatures } from '../virtio/features.js';
import { GuestFaults } from '../virtio/guest-faults.js';
import { GuestMemory, type RamPart } from '../virtio/guest-memory.js';
import { SplitQueue, validateQueue } from '../virtio/split-queue.js';
import { FEATURE_FLUSH, QUEUE_SIZE, REQUEST_QUEUE } from './constants.js';
import { capacitySectors, type DiskShape, offeredFeatures } from './disk-shape.js';
import { type BlockMetrics, newBlockMetrics } from './metrics.js';
import { RequestServer } from './request-server.js';
import type { BlockSnapshot } from './snapshot.js';

export interface BlockOptions {
  readonly mmap: HalOf<typeof Mmap>;
  readonly disks: HalOf<typeof Disk>;
  /** Opened by whoever makes the device, and closed by them. */
  readonly disk: number;
  /** Of that disk, as it was opened. */
  readonly shape: DiskShape;
  readonly ram: readonly RamPart[];
  readonly frontend: VirtioFrontend;
  /** What the guest sees as the disk's serial: up to 20 ASCII characters. */
  readonly id?: string;
  readonly faults?: GuestFaults;
}

/**
 * A disk (virtio 1.2, 5.2) with one queue. A request is done within the kick that brings it, and its data moves natively
 * between the disk and guest memory; so nothing is ever under way between two calls.
 */
export class BlockDevice implements VirtioBackend {
  readonly offeredFeatures: FeatureSet;
  readonly faults: GuestFaults;
  readonly metrics: BlockMetrics = newBlockMetrics();
  readonly #memory: GuestMemory;
  readonly #frontend: VirtioFrontend;
  readonly #capacity: number;
  readonly #server: RequestServer;
  #queue: SplitQueue | undefined;
  #features: FeatureSet = { low: 0, high: 0 };

  constructor(options: BlockOptions) {
    const { mmap, ram, frontend, shape, disks, disk, id = 'halyard' } = options;
    this.offeredFeatures = offeredFeatures(shape);
    this.faults = options.faults ?? new GuestFaults();
    this.#memory = new GuestMemory(mmap, ram);
    this.#frontend = frontend;
    this.#capacity = capacitySectors(shape);
    const serverOptions = { disks, disk, shape, id };
    this.#server = new RequestServer(this.#memory, this.faults, this.metrics, serverOptions);
  }

  get isActive(): boolean {
    return this.#queue !== undefined;
  }

  activate(activation: Activation): ActivationRefusal | undefined {
    this.#queue = undefined;
    const refusal = this.#checkActivation(activation);
    const [setup] = activation.queues;
    if (refusal !== undefined || setup === undefined) {
      this.metrics.activationFailures++;
      return refusal ?? { reason: 'missing-queue', queue: REQUEST_QUEUE };
    }
    this.metrics.activations++;
    const { index, nextAvail, ...layout } = setup;
    this.#start(
      activation.features,
      new SplitQueue(this.#memory, layout, this.faults, { nextAvail }),
    );
    return undefined;
  }

  reset(): void {
    this.metrics.resets++;
    this.#queue = undefined;
    this.#features = { low: 0, high: 0 };
  }

  /** Does every request that is available. A kick of another queue, or of a stopped device, is ignored. */
  queueNotify(index: number): void {
    const queue = this.#queue;
    if (queue === undefined || index !== REQUEST_QUEUE) return;
    const outcome = queue.drain();
    if (outcome === 'broken') this.#frontend.needsReset();
    if (outcome !== 'drained') return;
    const { batch } = queue;
    this.metrics.requests += batch.length;
    // The driver waits for each without a timeout, so the malformed ones are given back, too.
    for (let chain = 0; chain < batch.length; chain++) {
      queue.giveBack(batch.headOf(chain), this.#server.serve(batch, chain));
    }
    if (!queue.publish()) return;
    this.metrics.usedBufferInterrupts++;
    this.#frontend.usedBuffer();
  }

  /** The driver may write nothing there. */
  configWritten(): void {
    this.faults.count('config-access');
  }

  snapshot(): BlockSnapshot {
    return {
      offeredFeatures: this.offeredFeatures,
      features: this.#features,
      capacitySectors: this.#capacity,
      queue: this.#queue?.snapshot(),
    };
  }

  /**
   * Goes on where the snapshot was taken, over the same guest memory and the same content of the disk. What the driver
   * made available meanwhile is done at once.
   *
   * @throws SnapshotError
   */
  restore(snapshot: BlockSnapshot): void {
    this.#checkSnapshot(snapshot);
    this.#queue = undefined;
    this.#features = snapshot.features;
    if (snapshot.queue === undefined) return;
    const { nextAvail, nextUsed, ...layout } = snapshot.queue;
    const start = { nextAvail, nextUsed };
    this.#start(snapshot.features, new SplitQueue(this.#memory, layout, this.faults, start));
    this.queueNotify(REQUEST_QUEUE);
  }

  #start(features: FeatureSet, queue: SplitQueue): void {
    this.#features = features;
    this.#server.isWritethrough = !hasFeature(features, FEATURE_FLUSH);
    this.#queue = queue;
  }

  #checkActivation(activation: Activation): ActivationRefusal | undefined {
    if (notOffered(activation.features, this.offeredFeatures) !== undefined) {
      return { reason: 'features', queue: undefined };
    }
    for (const queue of activation.queues) {
      if (queue.index !== REQUEST_QUEUE) return { reason: 'unknown-queue', queue: queue.index };
      const reason = validateQueue(this.#memory, queue, QUEUE_SIZE);
      if (reason !== undefined) return { reason, queue: queue.index };
    }
    return undefined;
  }

  #checkSnapshot(snapshot: BlockSnapshot): void {
    const { offeredFeatures: offered, features, queue } = snapshot;
    const isAlike =
      sameFeatures(offered, this.offeredFeatures) && snapshot.capacitySectors === this.#capacity;
    if (!isAlike || notOffered(features, offered)) {
      throw new SnapshotError(
        'FEATURES_DIFFER',
        'the snapshot is of a disk of another size or with other features; restore it into one like it',
      );
    }
    const refusal =
      queue === undefined ? undefined : validateQueue(this.#memory, queue, QUEUE_SIZE);
    if (refusal !== undefined) throw new SnapshotError('CORRUPT', `the queue is ${refusal}`);
  }
}
