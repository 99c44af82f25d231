import type { QueueSetup } from './backend.js';
import { MMIO } from './mmio-registers.js';

interface QueueState {
  size: number;
  ready: boolean;
  descriptorsLow: number;
  descriptorsHigh: number;
  availLow: number;
  availHigh: number;
  usedLow: number;
  usedHigh: number;
}

export interface QueueRegistersSnapshot {
  readonly selected: number;
  readonly queues: readonly Readonly<QueueState>[];
}

/** Which field each 32-bit address or size register sets. */
const FIELD_OF_REGISTER: ReadonlyMap<number, Exclude<keyof QueueState, 'ready'>> = new Map([
  [MMIO.queueNum, 'size'],
  [MMIO.queueDescLow, 'descriptorsLow'],
  [MMIO.queueDescHigh, 'descriptorsHigh'],
  [MMIO.queueDriverLow, 'availLow'],
  [MMIO.queueDriverHigh, 'availHigh'],
  [MMIO.queueDeviceLow, 'usedLow'],
  [MMIO.queueDeviceHigh, 'usedHigh'],
]);

/** The registers that the driver describes its queues with. Their values are checked at activation, not here. */
export class QueueRegisters {
  selected = 0;
  readonly #maxSizes: readonly number[];
  #queues: QueueState[];

  constructor(maxSizes: readonly number[]) {
    this.#maxSizes = maxSizes;
    this.#queues = maxSizes.map(newQueueState);
  }

  static isQueueRegister(offset: number): boolean {
    return offset === MMIO.queueReady || FIELD_OF_REGISTER.has(offset);
  }

  exists(index: number): boolean {
    return index < this.#queues.length;
  }

  isReady(index: number): boolean {
    return this.#queues[index]?.ready === true;
  }

  /** 0 if the selected queue does not exist. */
  get maxSize(): number {
    return this.#maxSizes[this.selected] ?? 0;
  }

  /** @returns false if there is no such queue, or it is ready and must not change. */
  write(offset: number, value: number): boolean {
    const queue = this.#queues[this.selected];
    if (queue === undefined) return false;
    if (offset === MMIO.queueReady) {
      queue.ready = (value & 1) === 1;
      return true;
    }
    const field = FIELD_OF_REGISTER.get(offset);
    if (field === undefined || queue.ready) return false;
    queue[field] = value;
    return true;
  }

  /** The queues that are ready. */
  setups(nextAvail: number | undefined): QueueSetup[] {
    return this.#queues.flatMap((queue, index) =>
      queue.ready
        ? [
            {
              index,
              size: queue.size,
              descriptors: queue.descriptorsHigh * 2 ** 32 + queue.descriptorsLow,
              avail: queue.availHigh * 2 ** 32 + queue.availLow,
              used: queue.usedHigh * 2 ** 32 + queue.usedLow,
              nextAvail,
            },
          ]
        : [],
    );
  }

  reset(): void {
    this.selected = 0;
    this.#queues = this.#maxSizes.map(newQueueState);
  }

  snapshot(): QueueRegistersSnapshot {
    return { selected: this.selected, queues: this.#queues.map((queue) => ({ ...queue })) };
  }

  restore(snapshot: QueueRegistersSnapshot): void {
    this.selected = snapshot.selected;
    this.#queues = snapshot.queues.map((queue) => ({ ...queue }));
  }
}

function newQueueState(): QueueState {
  return {
    size: 0,
    ready: false,
    descriptorsLow: 0,
    descriptorsHigh: 0,
    availLow: 0,
    availHigh: 0,
    usedLow: 0,
    usedHigh: 0,
  };
}
