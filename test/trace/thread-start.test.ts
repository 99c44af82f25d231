import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import workerThreads from 'node:worker_threads';
import test from 'ava';

/** A thread that never runs. */
class DeadWorker extends EventEmitter {
  unref(): void {}
}

test.serial(
  'a thread that does not start is waited for once, and the trace has failed',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'halyard-thread-start-'));
    const { Worker } = workerThreads;
    const { wait } = Atomics;
    t.teardown(() => {
      Object.assign(workerThreads, { Worker });
      syncBuiltinESMExports();
      Atomics.wait = wait;
      rmSync(folder, { recursive: true });
    });
    Object.assign(workerThreads, { Worker: DeadWorker });
    syncBuiltinESMExports();
    let waits = 0;
    Atomics.wait = () => {
      waits++;
      return 'timed-out';
    };
    // It must meet the dead worker.
    const { BackgroundTrace } = await import('../../src/trace/background-trace.js');
    const failures: string[] = [];
    const open = (name: string) =>
      new BackgroundTrace(join(folder, name), 'test', ({ errno }) => failures.push(errno));
    const trace = open('first.mcap');
    const turn = Uint8Array.of(1, 2, 3);
    for (let number = 0; number < 3; number++) trace.turn(0, number, number, turn, turn.length);
    t.deepEqual(failures, ['ETIMEDOUT']);
    trace.close();
    open('second.mcap').close();
    t.deepEqual(failures, ['ETIMEDOUT', 'ETIMEDOUT']);
    t.is(waits, 1);
  },
);
