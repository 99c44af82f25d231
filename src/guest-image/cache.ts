import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Where downloads and images are kept: `$XDG_CACHE_HOME/halyard`, or `~/.cache/halyard`. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME: given } = process.env;
  return join(given === undefined || given === '' ? join(homedir(), '.cache') : given, 'halyard');
}

/** What a killed process left unfinished is removed after this time. */
const ABANDONED_MS = 3_600_000;

/**
 * A directory of the cache, filled once. It is filled under another name and then renamed, so that it is whole or not
 * there, also when two processes fill it at once or one is killed.
 *
 * @param fill gets the directory to fill.
 */
export async function filledOnce(
  directory: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  if (existsSync(directory)) {
    // Its age is that of its last use: see keepNewest.
    utimesSync(directory, new Date(), new Date());
    return directory;
  }
  mkdirSync(dirname(directory), { recursive: true });
  removeAbandoned(dirname(directory));
  const unfinished = mkdtempSync(join(dirname(directory), `.${basename(directory)}-`));
  try {
    await fill(unfinished);
    try {
      renameSync(unfinished, directory);
    } catch (error) {
      // Another process was faster, with the same content.
      if (!existsSync(directory)) throw error;
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return directory;
}

function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('.'))) {
    if (Date.now() - modifiedMs(join(folder, name)) < ABANDONED_MS) continue;
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Zero for what another process has just removed. */
function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Removes all of a folder's directories but those that were used last. */
export function keepNewest(folder: string, count: number): void {
  const entries = readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ path: join(folder, name), usedMs: modifiedMs(join(folder, name)) }))
    .sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of entries.slice(count)) rmSync(path, { recursive: true, force: true });
}
