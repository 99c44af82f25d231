import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type LiveEnd, runLive } from '../../src/cli/live.js';
import { replayFile } from '../../src/cli/replay-command.js';
import { parseBalloonConfig } from '../../src/programs/balloon-config.js';
import { openTraceFile } from '../../src/trace/trace-file.js';
import { whyNoKvm } from '../machine/kvm-lab.js';
import { laneProcesses } from '../programs/lane-processes.js';

const reason = whyNoKvm();
/** Guests need hardware; without it these tests say why they are skipped. */
const onKvm = reason === undefined ? test.serial : test.skip;
const name = (title: string): string => (reason === undefined ? title : `${title} (${reason})`);

const BURST_MIB = 160;
const PAGES = BURST_MIB * 256;
const FULL = `micro-guest: balloon ${PAGES} pages`;
/** Of this test's children and no other's. */
const MARK = `"burstMiB":${BURST_MIB}`;
const CONFIG = parseBalloonConfig({
  ramMiB: 256,
  seconds: 60,
  device: 'process',
  burstMiB: BURST_MIB,
  work: { touchBytes: 0 },
});

async function run(path: string, onActual: (pages: number) => void) {
  const lines: string[] = [];
  const notices: string[] = [];
  const end: LiveEnd = await runLive({
    config: CONFIG,
    record: path,
    onTraceError: 'stop',
    console: undefined,
    images: {},
    warn: (text) => notices.push(text),
    observer: {
      guestLine: (line) => {
        lines.push(line);
        // As Ctrl-C does; after this turn.
        if (line === FULL) setImmediate(() => process.emit('SIGINT'));
      },
      actualChanged: onActual,
      notice: (message) => notices.push(message),
    },
  });
  const { lanes } = openTraceFile(path);
  return { end, lines, notices, lanes: lanes.map((lane) => [lane.name, lane.outcome]) };
}

const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
test.after.always(() => rmSync(folder, { recursive: true }));

onKvm(name('a device in a process of its own: both lanes are recorded and replay'), async (t) => {
  const path = join(folder, 'whole.mcap');
  const { end, lines, lanes } = await run(path, () => {});
  t.is(end.failure, undefined);
  t.true(lines.includes(FULL), lines.join('\n'));
  t.deepEqual(lanes, [
    ['main', 'stopped'],
    ['device', 'stopped'],
  ]);
  t.is((await replayFile(path, { match: 'exact' })).verdict, 'identical');
  t.deepEqual(laneProcesses(MARK), [], 'nothing is left running');
});

onKvm(name('killed in the middle of an inflate, the device goes on as device#2'), async (t) => {
  const path = join(folder, 'killed.mcap');
  let killed: number | undefined;
  const { end, lines, lanes, notices } = await run(path, (pages) => {
    if (killed !== undefined || pages < PAGES / 4) return;
    killed = laneProcesses(MARK)[0];
    if (killed !== undefined) process.kill(killed, 'SIGKILL');
  });
  t.not(killed, undefined);
  t.is(end.failure, undefined);
  t.true(lines.includes(FULL), lines.join('\n'));
  t.deepEqual(lanes, [
    ['main', 'stopped'],
    ['device', 'killed'],
    ['device#2', 'stopped'],
  ]);
  t.true(notices.some((notice) => notice.includes('was ended by SIGKILL')));
  t.is((await replayFile(path, { match: 'exact' })).verdict, 'identical');
  t.deepEqual(laneProcesses(MARK), []);
});

onKvm(
  name('stopped in the middle of an inflate, the device is found to hang and ended'),
  async (t) => {
    const path = join(folder, 'stopped.mcap');
    let stopped: number | undefined;
    const { end, lines, lanes, notices } = await run(path, (pages) => {
      if (stopped !== undefined || pages < PAGES / 4) return;
      stopped = laneProcesses(MARK)[0];
      if (stopped !== undefined) process.kill(stopped, 'SIGSTOP');
    });
    t.not(stopped, undefined);
    t.is(end.failure, undefined);
    t.true(lines.includes(FULL), lines.join('\n'));
    t.deepEqual(lanes, [
      ['main', 'stopped'],
      ['device', 'killed'],
      ['device#2', 'stopped'],
    ]);
    t.true(
      notices.some((notice) => notice.includes('does not answer')),
      notices.join('\n'),
    );
    t.is((await replayFile(path, { match: 'exact' })).verdict, 'identical');
    t.deepEqual(laneProcesses(MARK), []);
  },
);
