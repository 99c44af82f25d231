import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processes of this one that run a lane.
 *
 * @param mark a piece of their configuration: tests in other threads have children too.
 */
export function laneProcesses(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        const isChild = status.includes(`\nPPid:\t${process.pid}\n`);
        return isChild && command.includes('lane-main') && command.includes(mark);
      } catch {
        return false;
      }
    });
}
