import { readFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/**
 * Tells from within the process when the thread that writes the trace has run, as the kernel counts it. A machine that is
 * busy, or a hypervisor that takes a processor away, shows as a gap between these signs, whichever thread it met.
 */
const { fd, beatMs, threadId } = workerData as { fd: number; beatMs: number; threadId: string };
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Nanoseconds on a processor, and how often it was given one (Documentation/scheduler/sched-stats.rst). */
function progress(): { ranNs: number; runs: number } {
  const words = readFileSync(`/proc/self/task/${threadId}/schedstat`, 'utf8').split(' ');
  return { ranNs: Number(words[0]), runs: Number(words[2]) };
}

let before = progress();
for (;;) {
  Atomics.wait(sleeper, 0, 0, beatMs);
  const now = progress();
  const ranMs = (now.ranNs - before.ranNs) / 1e6;
  if (now.runs === before.runs && ranMs === 0) continue;
  before = now;
  const [seconds, nanoseconds] = process.hrtime();
  writeSync(fd, `ran ${ranMs} ${seconds * 1e3 + nanoseconds / 1e6}\n`);
}
