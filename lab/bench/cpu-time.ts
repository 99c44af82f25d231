import { readdirSync, readFileSync } from 'node:fs';

/** Linux tells /proc times in this unit on every architecture. */
const TICKS_PER_SECOND = 100;

/** Processor time since a process or a thread began, in seconds. */
export interface CpuTime {
  /** In its own code and in the kernel on its behalf, guest code not counted. */
  readonly own: number;
  /** In guest code. Sampled by the kernel's tick: right on the average. */
  readonly guest: number;
}

/** Of all processes of a VMM; `vcpus` is the part of the threads that have run guest code. */
export interface VmmCpu {
  readonly all: CpuTime;
  readonly vcpus: CpuTime;
}

/**
 * Reads /proc/PID/stat or /proc/PID/task/TID/stat (proc(5)): the kernel counts guest time (field 43) in user time
 * (field 14) as well.
 */
export function parseStat(text: string): CpuTime {
  // The name of the program is in parentheses and may have any character in it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number) => Number(fields[field - 3]) / TICKS_PER_SECOND;
  const guest = seconds(43);
  return { own: seconds(14) + seconds(15) - guest, guest };
}

export function sum(times: readonly CpuTime[]): CpuTime {
  return times.reduce(
    (one, other) => ({ own: one.own + other.own, guest: one.guest + other.guest }),
    { own: 0, guest: 0 },
  );
}

export function between(before: VmmCpu, after: VmmCpu): VmmCpu {
  const less = (one: CpuTime, other: CpuTime) => ({
    own: one.own - other.own,
    guest: one.guest - other.guest,
  });
  return { all: less(after.all, before.all), vcpus: less(after.vcpus, before.vcpus) };
}

const threadsOf = (pid: number) => readdirSync(`/proc/${pid}/task`).map(Number);

/** A process and all that it started, directly or not. */
export function processTree(pid: number): readonly number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter((word) => word !== '')
      .map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}

export function threadsOfTree(pid: number): readonly number[] {
  return processTree(pid).flatMap(threadsOf);
}

export function cpuOfTree(pid: number): VmmCpu {
  const processes = processTree(pid);
  const stat = (path: string) => parseStat(readFileSync(path, 'utf8'));
  const threads = processes.flatMap((process) =>
    threadsOf(process).map((thread) => stat(`/proc/${process}/task/${thread}/stat`)),
  );
  return {
    all: sum(processes.map((process) => stat(`/proc/${process}/stat`))),
    vcpus: sum(threads.filter(({ guest }) => guest > 0)),
  };
}

/** What a process holds of memory that it shares, in bytes: a guest's RAM is a memfd. */
export function sharedBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssShmem:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
