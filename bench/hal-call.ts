import { EventFd } from '../src/hal/event-fd.js';
import { Mmap } from '../src/hal/mmap.js';
import { loadAddon } from '../src/hal/native/addon.js';
import { addonImplementation } from '../src/hal/native/index.js';
import { alternate, median, millisecondsOf } from './measure.js';
import { nativeHal } from './native-hal.js';

export interface HalCallFigures {
  readonly halCallRatio: number;
  readonly halCallNs: number;
  readonly addonCallNs: number;
}

const ROUNDS = 9;
const CALLS = 1_000_000;
const REGION_BYTES = 65536;
const OFFSET_MASK = 0xfffe;

/** One acquire load, the cheapest call there is, by the native profile and straight from the addon. */
export function halCallFigures(): HalCallFigures {
  const session = loadAddon().open();
  const { mmap } = nativeHal([
    addonImplementation(Mmap, session),
    addonImplementation(EventFd, session),
  ]);
  const load = session['mmap']?.['loadAcquireU16'];
  if (load === undefined) throw new Error('the addon lacks mmap.loadAcquireU16');
  const region = mmap.createRegion({ name: 'hal call', size: REGION_BYTES });
  let sum = 0;
  const byAddon = () =>
    millisecondsOf(() => {
      for (let call = 0; call < CALLS; call++) {
        sum += load(region, (call * 2) & OFFSET_MASK) as number;
      }
    });
  const byHal = () =>
    millisecondsOf(() => {
      for (let call = 0; call < CALLS; call++) {
        sum += mmap.loadAcquireU16({ region, offset: (call * 2) & OFFSET_MASK });
      }
    });
  byAddon();
  byHal();
  const { first, second } = alternate(ROUNDS, byAddon, byHal);
  session.close();
  if (sum !== 0) throw new Error('fresh memory is zero');
  return {
    halCallRatio: median(second) / median(first),
    halCallNs: (median(second) * 1e6) / CALLS,
    addonCallNs: (median(first) * 1e6) / CALLS,
  };
}
