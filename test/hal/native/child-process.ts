import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A compiled helper beside this file, to be run in a process of its own. */
export function helperPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}

/** Runs a helper to its end. */
export function runHelper(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const result = spawnSync(process.execPath, [helperPath(name), ...args], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}
