// Runs a replay from the bundle and keeps what V8 compiled for it: see src/bin/bundled-command.ts. A child of
// bundle-cli.mjs, because the command ends its process.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeCachePath, loadBundledCommand } from '../dist/src/bin/bundled-command.js';

const folder = resolve('dist/bin');
const [bundle] = process.argv.slice(2);
const command = loadBundledCommand(folder, bundle);
process.argv.splice(
  1,
  process.argv.length,
  `${folder}/halyard.cjs`,
  'replay',
  'recordings/boot/run.mcap',
);
process.on('exit', (code) => {
  if (code === 0) writeFileSync(codeCachePath(folder, bundle), command.script.createCachedData());
});
command.run();
