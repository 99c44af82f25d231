import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { JailCheck } from '../../src/cli/jail-check.js';
import { TurnSchema } from '../../src/hal/contract/schema.js';
import { decodeTurn } from '../../src/hal/replay/turn-decoder.js';
import { balloonVm } from '../../src/programs/balloon-vm.js';
import { DEVICE_ENTRIES } from '../../src/programs/device-jail.js';
import { replayLane } from '../../src/run.js';
import { laneSource, openTraceFile } from '../../src/trace/trace-file.js';

const ARCHITECTURES = ['x86_64', 'aarch64', 'arm'] as const;
/** What a device does before it is jailed. */
const BEFORE = ['channel.adopt', 'seccomp.confine', 'seccomp.confineAndNotify'];

const names = readdirSync('recordings', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

test('there are recordings, and they hold devices in processes of their own', (t) => {
  t.true(names.includes('device-killed'));
});

for (const name of names) {
  test(`${name}: every shipped policy allows all that the device does`, (t) => {
    const checks = ARCHITECTURES.map((arch) => {
      const policy = `seccomp/${arch}/balloon_device.policy`;
      return new JailCheck({ policy, arch, dialect: 'minijail-python', lanes: [] });
    });
    const trace = openTraceFile(join('recordings', name, 'run.mcap'));
    const config = balloonVm.parseConfig(trace.program.config);
    const schema = new TurnSchema(balloonVm.contracts);
    const recorded = trace.lanes.map((lane) => lane.name);
    const entries = new Set<string>();
    for (const lane of trace.lanes) {
      const sinks = checks.map((check) => check.sink(balloonVm, recorded, lane.name));
      if (sinks.every((sink) => sink === undefined)) continue;
      const sink = {
        turn: (number: number, timeNs: number, bytes: Uint8Array, end: number) => {
          for (const each of sinks) each?.turn(number, timeNs, bytes, end);
          const { event, calls } = decodeTurn(schema, bytes, 0, end);
          for (const { spec } of event === undefined ? calls : [event, ...calls]) {
            entries.add(`${spec.contract.halName}.${spec.name}`);
          }
        },
      };
      const complete = lane.outcome === 'stopped';
      replayLane(balloonVm, lane.name, config, laneSource(trace, lane), { sink, complete });
    }
    trace.reader.close();
    for (const check of checks) {
      const { verdict, lanes, arch, node } = check.report();
      t.is(verdict, 'allowed', arch);
      t.deepEqual(
        lanes.flatMap(({ findings }) => findings),
        [],
        `${arch}: nothing depends on what nobody knows`,
      );
      t.true(
        lanes.every(({ syscalls }) => syscalls > 0),
        arch,
      );
      t.true(node.syscalls > 0, arch);
      t.is(node.findings.filter(({ isSurvived }) => !isSurvived).length, 0, arch);
    }
    if (!recorded.includes('device')) return;
    const known = new Set([...DEVICE_ENTRIES, ...BEFORE]);
    t.deepEqual(
      [...entries].filter((entry) => !known.has(entry)),
      [],
      'DEVICE_ENTRIES lacks them',
    );
  });
}
