/** One system call of a log that strace(1) made with `-ttt -e raw=all`. */
export interface LoggedSyscall {
  readonly name: string;
  readonly words: readonly bigint[];
}

interface TimedSyscall extends LoggedSyscall {
  readonly at: number;
  readonly result: string;
}

function readLog(text: string): readonly TimedSyscall[] {
  return text.split('\n').flatMap((line) => {
    const [, at, name, args, result] = /^([\d.]+) (\w+)\((.*)\)\s+= (\S+)/u.exec(line) ?? [];
    if (name === undefined) return [];
    const words = (args ?? '').split(', ').filter((word) => /^(0x)?[0-9a-f]+$/u.test(word));
    return [{ at: Number(at), name, words: words.map(BigInt), result: result ?? '' }];
  });
}

/**
 * What each thread of the process that jailed itself did from then on, its main thread first.
 *
 * @param logs by the thread's number.
 */
export function readThreads(
  logs: ReadonlyMap<number, string>,
): readonly (readonly LoggedSyscall[])[] {
  const read = new Map([...logs].map(([thread, text]) => [thread, readLog(text)]));
  for (const [main, seen] of read) {
    // The probes of a main process fail; who is jailed gets a listener.
    const entered = seen.find(
      ({ name, words, result }) => name === 'seccomp' && words[0] === 1n && !result.startsWith('-'),
    );
    if (entered === undefined) continue;
    const threads = [main, ...startedBy(main, read)];
    return threads.map((thread) => (read.get(thread) ?? []).filter(({ at }) => at > entered.at));
  }
  throw new Error('no process jailed itself');
}

function startedBy(thread: number, read: ReadonlyMap<number, readonly TimedSyscall[]>): number[] {
  const started = (read.get(thread) ?? [])
    .filter(({ name }) => name === 'clone' || name === 'clone3')
    .map(({ result }) => Number(result))
    .filter((number) => read.has(number));
  return started.flatMap((number) => [number, ...startedBy(number, read)]);
}

export function keyOf(name: string, args: Readonly<Record<string, string | number>>): string {
  return `${name} ${JSON.stringify(args)}`;
}
