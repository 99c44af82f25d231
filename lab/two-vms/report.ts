import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VM_NAMES, type VmName } from './scenario.js';

/** What one VM's run came to, by its log and its exit code. */
export interface VmReport {
  readonly name: VmName;
  readonly exitCode: number | undefined;
  /** `yes`, `NO` and what they are about, as `halyard` printed them. */
  readonly findings: readonly string[];
  readonly lowestMiB: number | undefined;
}

export interface TwoVmsReport {
  readonly vms: readonly VmReport[];
  /** Lines of the host's kernel about processes that it killed. */
  readonly killed: readonly string[];
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** @param output what the host's script printed. @param read reads a file that came back; undefined if it did not. */
export function reportOf(output: string, read: (file: string) => string | undefined): TwoVmsReport {
  const vms = VM_NAMES.map((name) => {
    const code = new RegExp(`^exit ${name} (\\d+)$`, 'm').exec(output)?.[1];
    const log = lines(read(`${name}.log`) ?? '');
    const available = log
      .map((line) => / available (\d+) MiB, margin/.exec(line)?.[1])
      .filter((value) => value !== undefined)
      .map(Number);
    return {
      name,
      exitCode: code === undefined ? undefined : Number(code),
      findings: log.filter((line) => /^ {2}(yes|NO ) /.test(line)).map((line) => line.trim()),
      lowestMiB: available.length === 0 ? undefined : Math.min(...available),
    };
  });
  return { vms, killed: lines(read('killed') ?? '') };
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

/** What is wrong with a run under the policy; nothing if it shows what the original's manual test is to show. */
export function faultsWithPolicy({ vms, killed }: TwoVmsReport): readonly string[] {
  const faults = killed.map((line) => `the host's kernel: ${line}`);
  for (const { name, exitCode, findings } of vms) {
    if (exitCode !== 0) faults.push(`the ${name} VM ended with ${exitCode ?? 'nothing'}`);
    if (findings.length === 0) faults.push(`the ${name} VM has no findings`);
    faults.push(
      ...findings.filter((line) => line.startsWith('NO')).map((line) => `${name}: ${line}`),
    );
  }
  return faults;
}

/** Without the policy the host must stay under the margin at the worst moment, or kill something. */
export function faultsWithoutPolicy(report: TwoVmsReport, marginMiB: number): readonly string[] {
  if (report.killed.length > 0) return [];
  const lowest = Math.min(
    ...report.vms.map(({ lowestMiB }) => lowestMiB ?? Number.POSITIVE_INFINITY),
  );
  if (lowest < marginMiB) return [];
  return [`without a policy available memory never fell under ${marginMiB} MiB: ${lowest} MiB`];
}
