import { BYTES_PER_MIB, type Bytes, type MiB } from '../hal/contract/units.js';
import type { HostFiles } from '../hal/host-files.js';
import {
  CHROMEOS_AVAILABLE_PATH,
  CHROMEOS_MARGIN_PATH,
  hostFigures,
  MEMINFO_MAX_BYTES,
  MEMINFO_PATH,
  MIN_FREE_MAX_BYTES,
  MIN_FREE_PATH,
} from '../hal/mem-pressure-figures.js';
import { attempt } from './attempt.js';
import { FIGURE_FILE_BYTES, parseAvailable, parseMargin } from './margin.js';
import type { Observation } from './step-types.js';

/**
 * The margin where the kernel has none of its own (source `meminfo`): a number of MiB; `auto`, 5.2 % of the host's
 * memory, rounded down to a MiB (the critical margin of ChromeOS's resourced); or so many MiB below what is available
 * when the policy starts, at least 0.
 */
export type MarginSetting = MiB | 'auto' | { readonly belowAvailable: MiB };

/** Throws RangeError for a setting that is no margin. */
export function checkMarginSetting(setting: MarginSetting): void {
  if (setting === 'auto') return;
  const value = typeof setting === 'number' ? setting : setting.belowAvailable;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`a margin is a whole number of MiB from 0, got ${value}`);
  }
}

/** Reads the host's figures, each time anew. A failure is an observation, never an exception. */
export interface FigureReader {
  observe(): Observation;
}

export function figureReader(
  source: 'chromeos' | 'meminfo',
  files: HostFiles,
  setting: MarginSetting,
): FigureReader {
  return source === 'chromeos' ? new ChromeosFigures(files) : new MeminfoFigures(files, setting);
}

function unreadable(path: string, reason: string): Observation {
  return { status: 'unreadable', reason: `${path}: ${reason}` };
}

/** The two files of the ChromeOS notifier, margin first, as the original reads them. */
class ChromeosFigures implements FigureReader {
  private readonly files: HostFiles;

  constructor(files: HostFiles) {
    this.files = files;
  }

  observe(): Observation {
    const marginRead = this.read(CHROMEOS_MARGIN_PATH);
    if (!marginRead.done) return unreadable(CHROMEOS_MARGIN_PATH, marginRead.reason);
    const margin = parseMargin(marginRead.value);
    if (margin.status === 'off') return margin;
    if (margin.status === 'invalid') return unreadable(CHROMEOS_MARGIN_PATH, margin.reason);
    const availableRead = this.read(CHROMEOS_AVAILABLE_PATH);
    if (!availableRead.done) return unreadable(CHROMEOS_AVAILABLE_PATH, availableRead.reason);
    const available = parseAvailable(availableRead.value);
    if (available.status === 'invalid') {
      return unreadable(CHROMEOS_AVAILABLE_PATH, available.reason);
    }
    return {
      status: 'read',
      availableMiB: available.availableMiB,
      marginMiB: margin.marginMiB,
    };
  }

  private read(path: string) {
    return attempt(() => this.files.read({ path, maxBytes: FIGURE_FILE_BYTES }));
  }
}

/** /proc/meminfo, with a margin that is fixed by the first good observation. */
class MeminfoFigures implements FigureReader {
  private readonly files: HostFiles;
  private readonly setting: MarginSetting;
  private marginMiB: MiB | undefined;

  constructor(files: HostFiles, setting: MarginSetting) {
    this.files = files;
    this.setting = setting;
  }

  observe(): Observation {
    const meminfo = attempt(() =>
      this.files.read({ path: MEMINFO_PATH, maxBytes: MEMINFO_MAX_BYTES }),
    );
    if (!meminfo.done) return unreadable(MEMINFO_PATH, meminfo.reason);
    const minFree = attempt(() =>
      this.files.read({ path: MIN_FREE_PATH, maxBytes: MIN_FREE_MAX_BYTES }),
    );
    const figures = hostFigures(meminfo.value, minFree.done ? minFree.value : undefined);
    if (figures.status === 'invalid') {
      return unreadable(MEMINFO_PATH, `no line for ${figures.missing.join(', ')}`);
    }
    const { availableMiB, totalBytes } = figures;
    this.marginMiB ??= resolveMargin(this.setting, availableMiB, totalBytes);
    return { status: 'read', availableMiB, marginMiB: this.marginMiB };
  }
}

function resolveMargin(setting: MarginSetting, availableMiB: MiB, totalBytes: Bytes): MiB {
  if (typeof setting === 'number') return setting;
  if (setting === 'auto') return Math.floor((Math.floor(totalBytes / BYTES_PER_MIB) * 52) / 1000);
  return Math.max(0, availableMiB - setting.belowAvailable);
}
