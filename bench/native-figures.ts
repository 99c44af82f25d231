import { spawnSync } from 'node:child_process';
import { UnsupportedError } from '../src/hal/contract/errors.js';
import type { HalCallFigures } from './hal-call.js';
import type { ReclaimFigures } from './reclaim.js';
import type { Skipped } from './skipped.js';

export interface NativeFigures {
  readonly halCall: HalCallFigures | Skipped;
  readonly reclaim: ReclaimFigures | Skipped;
}

/** What needs the addon; only here is it loaded. */
export async function nativeFigures(
  directory: string,
  progress: (what: string) => void,
): Promise<NativeFigures> {
  try {
    const { nativeImplementations } = await import('../src/hal/native/index.js');
    const implementations = nativeImplementations();
    progress('HAL calls');
    const { halCallFigures } = await import('./hal-call.js');
    const halCall = halCallFigures();
    const compiler = process.env['CC'] ?? 'cc';
    if (spawnSync(compiler, ['--version']).status !== 0) {
      return { halCall, reclaim: { skipped: `no C compiler (${compiler})` } };
    }
    progress('reclaiming 1 GiB');
    const { reclaimFigures } = await import('./reclaim.js');
    return { halCall, reclaim: reclaimFigures(directory, implementations) };
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const skipped = { skipped: error.message };
    return { halCall: skipped, reclaim: skipped };
  }
}
