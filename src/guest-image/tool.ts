import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedError } from '../hal/contract/errors.js';

/** mke2fs and debugfs lie where an ordinary user's PATH does not look. */
const MORE_FOLDERS = ['/usr/sbin', '/sbin'];

/** The path of a program, or undefined if it is not installed. A name with a slash is a path already. */
export function findTool(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...path.split(':').filter((folder) => folder !== ''), ...MORE_FOLDERS];
  return (name.includes('/') ? [name] : folders.map((folder) => join(folder, name))).find(
    (file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
  );
}

/**
 * Runs a program to its end and returns what it printed.
 *
 * @throws UnsupportedError if it is not installed or fails; the message has the last line it printed.
 */
export async function runTool(
  name: string,
  args: readonly string[],
  { cwd, remedy }: { cwd?: string; remedy: string },
): Promise<string> {
  const file = findTool(name);
  if (file === undefined) throw new UnsupportedError(`${name} is not installed`, remedy);
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return output;
  const line = complaints.trim().split('\n').at(-1) ?? '';
  throw new UnsupportedError(`${name} ${args.at(0) ?? ''} failed: ${line}`, remedy);
}
