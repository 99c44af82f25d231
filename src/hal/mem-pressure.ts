import { oneOf, quantity, text } from './contract/codec.js';
import { call, defineHal, event, type HalOf, nanoseconds } from './contract/define.js';
import type { MiB } from './contract/units.js';

const mebibytes = quantity<MiB>('MiB');

/**
 * Tells when the host runs low on memory. Like /dev/chromeos-low-mem it is level-triggered: while it is armed and the
 * host is low, it speaks; the figures themselves are read through `HostFiles`.
 */
export const MemPressure = defineHal('mem-pressure', {
  /**
   * Finds the source: the ChromeOS notifier where there is one (its margin is in sysfs), else /proc/meminfo polled by
   * this contract. `reason` says what was looked for.
   */
  probe: call(
    {},
    { returns: { source: oneOf('chromeos', 'meminfo', 'none'), reason: text }, syscalls: 'node' },
  ),
  /**
   * Arms the notification. `margin` and `interval` count for the source `meminfo` only: available memory is computed
   * every `interval` and compared with `margin`. The notifier disarms itself with each `low` event.
   */
  arm: call({ margin: mebibytes, interval: nanoseconds }, { syscalls: 'node' }),
  disarm: call({}, { syscalls: 'node' }),
  /** The host is low on memory: available is under the margin. */
  low: event({}, { syscalls: 'node' }),
});
export type MemPressure = HalOf<typeof MemPressure>;
