import { spawnSync } from 'node:child_process';

const MAX_OUTPUT = 64 * 2 ** 20;

export interface ToolRun {
  readonly ok: boolean;
  readonly output: Uint8Array;
  /** The lines that it wrote to its standard error, or how it ended. */
  readonly complaints: readonly string[];
}

export function runTool(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string } = {},
): ToolRun {
  const { status, signal, stdout, stderr, error } = spawnSync(command, [...args], {
    ...options,
    maxBuffer: MAX_OUTPUT,
  });
  const text =
    error?.message ?? ((stderr ?? '').toString().trim() || `ended with ${signal ?? status}`);
  const ok = error === undefined && status === 0;
  return { ok, output: stdout ?? new Uint8Array(), complaints: text.split('\n') };
}
