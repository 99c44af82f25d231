import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Where downloads and images are kept: `$XDG_CACHE_HOME/halyard`, or `~/.cache/halyard`. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME: given } = process.env;
  return join(given === undefined || given === '' ? join(homedir(), '.cache') : given, 'halyard');
}

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
  if (existsSync(directory)) return directory;
  mkdirSync(dirname(directory), { recursive: true });
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
