import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `halyard seccomp …`, as it is shipped. */
export function seccomp(...args: readonly string[]): Ran {
  return spawnSync(process.execPath, ['dist/bin/halyard.cjs', 'seccomp', ...args], {
    encoding: 'utf8',
  });
}

/** A folder with these files, for one test. */
export function folderWith(
  t: ExecutionContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-seccomp-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return (name) => join(folder, name);
}
