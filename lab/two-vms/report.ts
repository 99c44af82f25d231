import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VM_NAMES, type VmName } from './scenario.js';

/** How one VM's run ended. */
export interface VmReport {
  readonly name: VmName;
  readonly exitCode: number | undefined;
}

export interface TwoVmsReport {
  readonly vms: readonly VmReport[];
  /** Lines of the host's kernel about processes that it killed. */
  readonly killed: readonly string[];
}

/** @param output what the host's script printed. @param read reads a file that came back; undefined if it did not. */
export function reportOf(output: string, read: (file: string) => string | undefined): TwoVmsReport {
  const vms = VM_NAMES.map((name) => {
    const code = new RegExp(`^exit ${name} (\\d+)$`, 'm').exec(output)?.[1];
    return { name, exitCode: code === undefined ? undefined : Number(code) };
  });
  const killed = (read('killed') ?? '').split('\n').filter((line) => line !== '');
  return { vms, killed };
}

/** Reads what came back from a folder. */
export function filesIn(folder: string): (file: string) => string | undefined {
  return (file) => {
    try {
      return readFileSync(join(folder, file), 'utf8');
    } catch {
      return undefined;
    }
  };
}
