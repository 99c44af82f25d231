import { type FeatureSet, hasFeature } from '../virtio/features.js';
import {
  DEFLATE_QUEUE,
  FEATURE_FREE_PAGE_HINT,
  FEATURE_PAGE_REPORTING,
  FEATURE_STATS_VQ,
  FIRST_OPTIONAL_QUEUE,
  INFLATE_QUEUE,
} from './constants.js';

/** What a queue is for. */
export type QueueFunction = 'inflate' | 'deflate' | 'stats' | 'hinting' | 'reporting';

/** In the order of the table in virtio 1.2, 5.5.2: the first has the number 2 there. */
const OPTIONAL: readonly { readonly name: QueueFunction; readonly feature: number }[] = [
  { name: 'stats', feature: FEATURE_STATS_VQ },
  { name: 'hinting', feature: FEATURE_FREE_PAGE_HINT },
  { name: 'reporting', feature: FEATURE_PAGE_REPORTING },
];

/**
 * How many queues a balloon with these features has: as many as the table of virtio 1.2, 5.5.2 needs, so that a driver
 * that numbers by the table finds its queue. A driver that leaves no gaps finds a lower one.
 */
export function queueCount(offered: FeatureSet): number {
  const last = OPTIONAL.findLastIndex(({ feature }) => hasFeature(offered, feature));
  return FIRST_OPTIONAL_QUEUE + last + 1;
}

/**
 * What each queue that the driver made ready is for. Three countings are in use for the optional ones:
 * - by what was negotiated, without gaps: Linux (`vm_find_vqs` in virtio_mmio.c skips an entry without a name and does
 *   not count it, and `init_vqs` in virtio_balloon.c names the negotiated ones);
 * - by what the device offers, without gaps: QEMU and crosvm, and drivers made for them;
 * - by the table in virtio 1.2, 5.5.2, where a queue keeps its number whatever else is there.
 *
 * All three keep the order of the table. So if the driver made as many optional queues ready as it negotiated, the n-th
 * of them is the n-th negotiated function in every counting, and there is nothing to guess. Linux always does so. A
 * driver that made more or fewer ready is no Linux, so what is offered counts.
 *
 * @param readyIndices of the queues that the driver made ready, in any order.
 * @returns only queues that are to be served: one for a refused feature is left alone.
 */
export function queueFunctions(
  offered: FeatureSet,
  negotiated: FeatureSet,
  readyIndices: readonly number[],
): ReadonlyMap<number, QueueFunction> {
  const ready = [...readyIndices].sort((a, b) => a - b);
  const functions = new Map<number, QueueFunction>();
  if (ready.includes(INFLATE_QUEUE)) functions.set(INFLATE_QUEUE, 'inflate');
  if (ready.includes(DEFLATE_QUEUE)) functions.set(DEFLATE_QUEUE, 'deflate');
  const optional = ready.filter((index) => index >= FIRST_OPTIONAL_QUEUE);
  const wanted = OPTIONAL.filter(({ feature }) => hasFeature(negotiated, feature));
  if (optional.length === wanted.length) {
    wanted.forEach(({ name }, position) => {
      functions.set(optional[position] as number, name);
    });
    return functions;
  }
  OPTIONAL.filter(({ feature }) => hasFeature(offered, feature)).forEach((entry, position) => {
    const index = FIRST_OPTIONAL_QUEUE + position;
    if (optional.includes(index) && wanted.includes(entry)) functions.set(index, entry.name);
  });
  return functions;
}
