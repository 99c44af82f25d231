import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import test from 'ava';
import type { TurnSink } from '../src/hal/record/turn-encoder.js';
import { balloonVm } from '../src/programs/balloon-vm.js';
import { replayLane } from '../src/run.js';
import { contractProblems, laneSource, openTraceFile } from '../src/trace/trace-file.js';

const FOLDER = 'recordings';
/** Two Linux guests under pressure, with their disks and devices, are worth more. */
const maxBytes = (name: string): number => (name.startsWith('two-vms-') ? 4 : 1) * 1024 * 1024;

const names = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** Hashes each turn as a replay encodes it again. */
class Hashes implements TurnSink {
  readonly turns: number[] = [];
  chain = 0;

  turn(_number: number, _timeNs: number, bytes: Uint8Array, end: number): void {
    const turn = bytes.subarray(0, end);
    this.turns.push(crc32(turn));
    this.chain = crc32(turn, this.chain);
  }
}

function replayHashes(path: string, laneName: string): Hashes {
  const trace = openTraceFile(path);
  const lane = trace.lanes.find((candidate) => candidate.name === laneName);
  if (lane === undefined) throw new Error(`no lane ${laneName}`);
  const sink = new Hashes();
  const config = balloonVm.parseConfig(trace.program.config);
  const complete = lane.outcome === 'stopped';
  replayLane(balloonVm, lane.name, config, laneSource(trace, lane), { sink, complete });
  trace.reader.close();
  return sink;
}

test('there are recordings', (t) => {
  t.true(names.length > 0);
});

for (const name of names) {
  const path = join(FOLDER, name, 'run.mcap');

  test(`${name}: replayed twice in one process, it gives the recorded turns both times`, (t) => {
    t.true(existsSync(path), `${path} is missing: npm run record ${name}`);
    const trace = openTraceFile(path);
    t.deepEqual(contractProblems(trace, balloonVm.contracts), []);
    t.deepEqual(trace.warnings, []);
    for (const lane of trace.lanes) {
      const first = replayHashes(path, lane.name);
      const second = replayHashes(path, lane.name);
      t.deepEqual(second.turns, first.turns);
      t.is<number | undefined, number | undefined>(first.turns.length, lane.turns);
      t.is<number | undefined, number | undefined>(first.chain, lane.crc32);
    }
    trace.reader.close();
  });

  test(`${name}: is small, and described with the command that records it again`, (t) => {
    t.true(statSync(path).size <= maxBytes(name));
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    t.true(readme.includes(`npm run record ${name}`));
  });
}

for (const name of names) {
  const path = join(FOLDER, name, 'run.mcap');
  const trace = openTraceFile(path);
  const config = balloonVm.parseConfig(trace.program.config);
  trace.reader.close();
  const check = balloonVm.check?.(config);
  if (check === undefined) continue;

  test(`${name}: a replay shows what a run must show`, (t) => {
    const recorded = openTraceFile(path);
    const lane = recorded.lanes.find((candidate) => candidate.name === check.lane);
    if (lane === undefined) throw new Error(`no lane ${check.lane}`);
    replayLane(balloonVm, lane.name, config, laneSource(recorded, lane), { extra: check.modules });
    recorded.reader.close();
    const findings = check.findings();
    t.true(findings.length > 0);
    t.deepEqual(
      findings.filter(({ holds }) => !holds),
      [],
    );
  });
}
