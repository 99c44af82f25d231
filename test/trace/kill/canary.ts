import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/**
 * A thread like the one that writes the trace: it naps, wakes and writes into a file on the same disk. What holds it up,
 * a busy machine or a busy disk, mostly holds that one up as well. It also tells how long any thread of this process has
 * waited for a processor since the last time.
 */
const { fd, beatMs } = workerData as { fd: number; beatMs: number };
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const TASKS = '/proc/self/task';

/** By thread: nanoseconds that it could have run and did not (Documentation/scheduler/sched-stats.rst). */
function waits(): Map<string, number> {
  const found = new Map<string, number>();
  for (const task of readdirSync(TASKS)) {
    try {
      const [, waited] = readFileSync(`${TASKS}/${task}/schedstat`, 'utf8').split(' ');
      found.set(task, Number(waited));
    } catch {
      // A thread that has just ended, or a kernel without these figures.
    }
  }
  return found;
}

let before = waits();
for (;;) {
  Atomics.wait(sleeper, 0, 0, beatMs);
  const now = waits();
  const longestNs = Math.max(0, ...[...now].map(([task, ns]) => ns - (before.get(task) ?? ns)));
  before = now;
  const [seconds, nanoseconds] = process.hrtime();
  writeSync(fd, `canary ${longestNs / 1e6} ${seconds * 1e3 + nanoseconds / 1e6}\n`);
}
