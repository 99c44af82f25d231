import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/package-info.js';

export type CHelper = { readonly path: string } | { readonly skipped: string };

/**
 * A program or a library in C that a test needs. In the lab's host there is no compiler: there it was compiled before
 * (lab/hardware-tests).
 *
 * @param source relative to the project.
 * @param directory where to put it.
 */
export function cHelper(
  name: string,
  source: string,
  { directory, flags }: { readonly directory: string; readonly flags: readonly string[] },
): CHelper {
  const made = join(packageRoot(), 'build', 'c-helpers', name);
  if (existsSync(made)) return { path: made };
  const path = join(directory, name);
  const args = ['-O1', '-Wall', '-Wextra', '-Werror', ...flags, '-o', path];
  const { status, error, stderr } = spawnSync('cc', [...args, join(packageRoot(), source)], {
    encoding: 'utf8',
  });
  if (status === 0) return { path };
  const reason = error?.message ?? stderr.slice(0, 300);
  return { skipped: `${source} does not compile: ${reason}` };
}
