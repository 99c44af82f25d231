import type { SplitQueue } from '../virtio/split-queue.js';

/**
 * Gives every drained chain back, the malformed ones too: the driver waits for each without a timeout. Nothing was
 * written into any of them, so their length is 0 (virtio 1.2, 2.7.8).
 *
 * @returns true if the driver wants an interrupt.
 */
export function acknowledge(queue: SplitQueue): boolean {
  const { batch } = queue;
  for (let chain = 0; chain < batch.length; chain++) queue.giveBack(batch.headOf(chain), 0);
  return queue.publish();
}
