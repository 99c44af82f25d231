import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../package-info.js';
import type { NodeFootprint } from '../verdict/node-footprint.js';

/** What Node's versions were measured to do: `npm run node-footprint` writes them. */
export function footprintFolder(): string {
  return join(packageRoot(), 'seccomp', 'footprints');
}

export function readNodeFootprints(): readonly NodeFootprint[] {
  const folder = footprintFolder();
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as NodeFootprint);
}
