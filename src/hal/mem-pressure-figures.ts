import { BYTES_PER_MIB, type Bytes, type MiB } from './contract/units.js';

export const MEMINFO_PATH = '/proc/meminfo';
export const MIN_FREE_PATH = '/proc/sys/vm/min_free_kbytes';
/** More than /proc/meminfo holds on any kernel so far (about 1.5 KiB). */
export const MEMINFO_MAX_BYTES = 8192;
export const MIN_FREE_MAX_BYTES = 32;

export const CHROMEOS_DEVICE_PATH = '/dev/chromeos-low-mem';
export const CHROMEOS_MARGIN_PATH = '/sys/kernel/mm/chromeos-low_mem/margin';
export const CHROMEOS_AVAILABLE_PATH = '/sys/kernel/mm/chromeos-low_mem/available';

const BYTES_PER_KIB = 1024;
/** The ChromeOS kernel's default: a quarter of free swap counts. */
const RAM_VS_SWAP_WEIGHT = 4;

/** What a host has to give, computed from /proc/meminfo. */
export type HostFigures =
  | {
      readonly status: 'read';
      readonly availableMiB: MiB;
      readonly availableBytes: Bytes;
      readonly totalBytes: Bytes;
    }
  /** `missing` names the lines that are needed and not there. */
  | { readonly status: 'invalid'; readonly missing: readonly string[] };

/** Values in KiB by name. A line that was cut in its middle lacks its unit, and is left out. */
function kibibytesByName(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^([^:\n]+):\s*([0-9]{1,12}) kB\s*$/gm)) {
    if (name !== undefined) values.set(name, Number(value));
  }
  return values;
}

/**
 * Available memory as the ChromeOS kernel's low-memory notifier counts it:
 * (free - min_free) + max(0, file - dirty) + swap_free / 4, where file = Active(file) + Inactive(file). Its
 * min_filelist_kbytes does not exist on other kernels and is 0. The sum is rounded down to a MiB and never below 0.
 *
 * @param meminfo content of /proc/meminfo. Dirty and SwapFree count as 0 where they are missing.
 * @param minFreeKbytes content of /proc/sys/vm/min_free_kbytes; undefined or no number counts as 0.
 */
export function hostFigures(meminfo: Uint8Array, minFreeKbytes?: Uint8Array): HostFigures {
  const values = kibibytesByName(new TextDecoder().decode(meminfo));
  const needed = ['MemTotal', 'MemFree', 'Active(file)', 'Inactive(file)'];
  const [total, free, activeFile, inactiveFile] = needed.map((name) => values.get(name));
  if (
    total === undefined ||
    free === undefined ||
    activeFile === undefined ||
    inactiveFile === undefined
  ) {
    return { status: 'invalid', missing: needed.filter((name) => !values.has(name)) };
  }
  const cleanFile = Math.max(0, activeFile + inactiveFile - (values.get('Dirty') ?? 0));
  const swap = Math.floor((values.get('SwapFree') ?? 0) / RAM_VS_SWAP_WEIGHT);
  const available = Math.max(0, free - minFreeKib(minFreeKbytes) + cleanFile + swap);
  const availableBytes = available * BYTES_PER_KIB;
  return {
    status: 'read',
    availableMiB: Math.floor(availableBytes / BYTES_PER_MIB),
    availableBytes,
    totalBytes: total * BYTES_PER_KIB,
  };
}

function minFreeKib(content: Uint8Array | undefined): number {
  if (content === undefined) return 0;
  const text = new TextDecoder().decode(content).trim();
  return /^[0-9]{1,12}$/.test(text) ? Number(text) : 0;
}
