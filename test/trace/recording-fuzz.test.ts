import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { replayFile } from '../../src/cli/replay-command.js';
import { TraceFormatError } from '../../src/trace/errors.js';
import { Random } from './random.js';
import { DamageMaker } from './recording-damage.js';
import { scratchDirectory } from './support.js';

/** More of them for the smaller files: 20,000 together. */
const MUTATIONS = {
  'hostile-guest': 14_000,
  'device-killed': 2_000,
  'pressure-and-recovery': 2_000,
  'burst-to-maximum': 2_000,
};

/**
 * Every byte of a trace of ours is under a CRC or compared with what it must be: the data section's CRC begins at byte 0
 * and ends at DataEnd, whose place, length and CRC are checked; the summary's goes on to the Footer's own CRC field; the
 * magic follows. So each damage must be refused, and none may reach the program.
 */
for (const [name, count] of Object.entries(MUTATIONS)) {
  test.serial(
    `${count} damaged copies of ${name} are all refused by the replay, with a position`,
    async (t) => {
      const path = join(scratchDirectory(t), 'run.mcap');
      const seed = Number(process.env['HALYARD_SEED'] ?? Date.now() % 1e6);
      const recording = new Uint8Array(readFileSync(join('recordings', name, 'run.mcap')));
      const maker = new DamageMaker(recording, new Random(seed));
      const refused = new Map<string, number>();
      for (let i = 0; i < count; i += 1) {
        const { damage, bytes } = maker.next();
        writeFileSync(path, bytes);
        const about = `HALYARD_SEED=${seed} mutation ${i} (${damage})`;
        try {
          const { verdict } = await replayFile(path, { match: 'exact' });
          t.fail(`${about}: not noticed, ${verdict}`);
        } catch (error) {
          if (!(error instanceof TraceFormatError)) throw new Error(about, { cause: error });
          const { position, reason } = error;
          if (!(position >= 0 && position <= bytes.length && reason.length > 0)) {
            t.fail(`${about}: byte ${position}: ${reason}`);
          }
          refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
        }
      }
      t.log(`seed ${seed}`, Object.fromEntries(refused));
      t.true(refused.has('TRACE_CORRUPT') && refused.has('TRACE_TRUNCATED'));
    },
  );
}
