// Records the shipped recordings again: all, or those named. Needs /dev/kvm and the addon.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAX_BYTES = 1024 * 1024;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'recordings');
const all = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const names = process.argv.length > 2 ? process.argv.slice(2) : all;

for (const name of names) {
  const [config, trace] = ['config.json', 'run.mcap'].map((file) => join(folder, name, file));
  console.log(`${name}:`);
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'dist/bin/halyard.mjs'), 'record', trace, '--config', config],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
  const { size } = statSync(trace);
  if (size > MAX_BYTES) {
    console.error(`${trace} has ${size} bytes; a recording has ${MAX_BYTES} at most`);
    process.exit(1);
  }
}
