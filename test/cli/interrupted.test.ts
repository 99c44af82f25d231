import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { replayFile } from '../../src/cli/replay-command.js';
import { openTraceFile } from '../../src/trace/trace-file.js';
import { whyNoKvm } from '../machine/kvm-lab.js';

const reason = whyNoKvm();
const onKvm = reason === undefined ? test.serial : test.skip;
const name = (title: string): string => (reason === undefined ? title : `${title} (${reason})`);

/** `halyard run --record`, until it has printed what is waited for. */
async function started(
  t: ExecutionContext,
  path: string,
  more: readonly string[],
): Promise<{ child: ChildProcess; output: () => string }> {
  const args = ['run', '--memory', '256', '--touch', '64', '--margin', '1', '--record', path];
  const child = spawn(process.execPath, ['dist/bin/halyard.cjs', ...args, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  let text = '';
  const seen = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk;
        if (text.includes('available')) resolve();
      });
    }
    child.on('exit', () => resolve());
  });
  await seen;
  return { child, output: () => text };
}

const IN_PROCESS = ['--device', 'in-process'];

const WAYS: readonly {
  title: string;
  signals: readonly NodeJS.Signals[];
  more: readonly string[];
}[] = [
  { title: 'Ctrl-C', signals: ['SIGINT'], more: IN_PROCESS },
  { title: 'Ctrl-C twice', signals: ['SIGINT', 'SIGINT'], more: IN_PROCESS },
  { title: 'SIGTERM', signals: ['SIGTERM'], more: IN_PROCESS },
  { title: 'Ctrl-C, the device in its own process', signals: ['SIGINT'], more: [] },
];

for (const { title, signals, more } of WAYS) {
  onKvm(name(`${title} ends a recorded run cleanly, and the trace is whole`), async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'run.mcap');
    const { child, output } = await started(t, path, more);
    const closed = once(child, 'close');
    for (const signal of signals) child.kill(signal);
    t.deepEqual(await closed, [0, null], output());
    t.regex(output(), /the machine was stopped: interrupted/);
    const lanes = openTraceFile(path).lanes.map((lane) => lane.outcome);
    t.deepEqual(lanes, more === IN_PROCESS ? ['stopped'] : ['stopped', 'stopped'], output());
    t.is((await replayFile(path, { match: 'exact' })).verdict, 'identical');
  });
}
