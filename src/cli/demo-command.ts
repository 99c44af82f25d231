import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BYTES_PER_MIB } from '../hal/contract/units.js';
import { packageRoot } from '../package-info.js';
import { type BalloonVmConfig, DEFAULT_CONFIG } from '../programs/balloon-config.js';
import { microGuestPath } from './hardware.js';
import type { Output } from './output.js';
import { replayCommand } from './replay-command.js';
import { runAndShow, say } from './run-command.js';

/** The main job in a quarter of a minute: the margin lies just under what is available now. */
export const DEMO_CONFIG: BalloonVmConfig = {
  ...DEFAULT_CONFIG,
  ramMiB: 1024,
  margin: { belowAvailable: 300 },
  timeScale: 0.5,
  seconds: 12,
  work: {
    ...DEFAULT_CONFIG.work,
    touchBytes: 512 * BYTES_PER_MIB,
    touchChunkBytes: 8 * BYTES_PER_MIB,
    touchIntervalUs: 20_000,
  },
};

const TOO_SLOW =
  `the host did not get low within ${DEMO_CONFIG.seconds} s, so there was nothing for the policy to do: this machine is slow or ` +
  'busy. With more time: halyard run --margin -300 --seconds 60 --time-scale 0.5';

const SHIPPED = 'pressure-and-recovery';

/** Boots a VM, squeezes the host, lets the policy work, records it all and replays the recording. */
export async function demoCommand(output: Output): Promise<number> {
  const missing = await missingHardware();
  if (missing !== undefined) {
    const shipped = join(packageRoot(), 'recordings', SHIPPED, 'run.mcap');
    output.line(`No VM can run here: ${missing}`);
    output.line('Replaying a shipped recording of one instead.');
    return replayCommand([shipped], { match: 'exact' }, output);
  }
  const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
  try {
    const record = join(folder, 'run.mcap');
    output.line('A VM boots, uses memory until the host is low, and its balloon gives it back.');
    const result = await runAndShow(
      { config: DEMO_CONFIG, record, onTraceError: 'stop', console: undefined, images: {} },
      output,
    );
    say(result, output);
    if (result.exitCode !== 0) return result.exitCode;
    if (!result.underMargin) output.warn(TOO_SLOW);
    output.line('Now the same run from its recording, without hardware:');
    return await replayCommand([record], { match: 'exact' }, output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function missingHardware(): Promise<string | undefined> {
  if (!existsSync('/dev/kvm')) return 'this machine has no /dev/kvm';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'this user may not open /dev/kvm';
  }
  if (!existsSync(microGuestPath())) return 'the micro guest is not built';
  try {
    const { loadAddon } = await import('../hal/native/index.js');
    loadAddon();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
