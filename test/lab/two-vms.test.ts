import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { judgeTwoVms } from '../../lab/two-vms/judge.js';
import { reportOf } from '../../lab/two-vms/report.js';
import {
  FILE_MIB,
  HOST_MEMORY_MIB,
  hostScript,
  VM_MEMORY_MIB,
  vmConfig,
} from '../../lab/two-vms/scenario.js';
import { pressureOf, type Timeline } from '../../lab/two-vms/timeline.js';
import { balloonVm } from '../../src/programs/balloon-vm.js';

/** Samples a second apart. */
const timeline = (startNs: number, writtenNs: number | undefined, ...mib: number[]): Timeline => ({
  samples: mib.map((availableMiB, index) => ({ timeNs: startNs + index * 1e9, availableMiB })),
  writtenNs,
});

test('the report has the exit codes, and what the host killed', (t) => {
  const files: Record<string, string> = { killed: '[1] Out of memory: Killed process 7 (node)\n' };
  t.deepEqual(
    reportOf('exit first 0\nnoise\n', (file) => files[file]),
    {
      vms: [
        { name: 'first', exitCode: 0 },
        { name: 'second', exitCode: undefined },
      ],
      killed: ['[1] Out of memory: Killed process 7 (node)'],
    },
  );
  t.deepEqual(reportOf('', () => undefined).killed, []);
});

test('pressure begins under the margin and ends when the first guest has written', (t) => {
  const one = timeline(0, 5e9, 900, 390, 300, 350, 450, 420, 800);
  const other = timeline(5e8, 6e9, 800, 380, 310, 360, 440, 430, 900);
  t.deepEqual(pressureOf([one, other], 400), {
    samples: 9,
    lowestMiB: 300,
    recoveredMiB: 450,
    highestMiB: 450,
  });
});

test('memory that came back only after a guest had written has not recovered', (t) => {
  const found = pressureOf([timeline(0, 2e9, 900, 390, 380, 800), timeline(0, 3e9, 900, 390)], 400);
  t.is(found.recoveredMiB, 380);
  t.is(found.highestMiB, 390);
});

test('a host that is never short was under no pressure', (t) => {
  t.is(pressureOf([timeline(0, 2e9, 900, 800, 700)], 400).samples, 0);
  t.is(pressureOf([timeline(0, 0, 900, 300)], 400).samples, 0);
});

const fails = (checks: ReturnType<typeof judgeTwoVms>) =>
  checks.filter(({ holds }) => !holds).map(({ what }) => what);
const good = reportOf('exit first 0\nexit second 0\n', () => undefined);
const scaled = (policy: 'step' | 'off') => vmConfig({ arch: 'arm64', timeScale: 0.1, policy });

test('without traces a run has failed, unless without a policy the host killed something', (t) => {
  t.deepEqual(fails(judgeTwoVms(scaled('step'), good, '/nowhere')), ['the traces']);
  t.deepEqual(fails(judgeTwoVms(scaled('off'), good, '/nowhere')), ['the traces']);
  const killed = { ...good, killed: ['Out of memory'] };
  t.deepEqual(fails(judgeTwoVms(scaled('off'), killed, '/nowhere')), []);
  t.deepEqual(fails(judgeTwoVms(scaled('step'), killed, '/nowhere')), [
    'processes that the host killed',
    'the traces',
  ]);
});

test('a run that ended badly or not at all has failed', (t) => {
  const report = reportOf('exit first 1\n', () => undefined);
  t.deepEqual(fails(judgeTwoVms(scaled('step'), report, '/nowhere')), [
    'first: exit code',
    'second: exit code',
    'the traces',
  ]);
});

test('the recorded run shows all of it, and does not pass for one without a policy', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-two-vms-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const name of ['first', 'second']) {
    symlinkSync(resolve('recordings', `two-vms-${name}`, 'run.mcap'), join(folder, `${name}.mcap`));
  }
  const full = (policy: 'step' | 'off') => vmConfig({ arch: 'arm64', timeScale: 1, policy });
  const checks = judgeTwoVms(full('step'), good, folder);
  t.deepEqual(fails(checks), []);
  t.true(checks.some(({ what }) => what.includes('second: the balloon grew by a sixteenth')));
  t.deepEqual(fails(judgeTwoVms(full('off'), good, folder)), [
    'available memory, once it is short and while both guests write',
  ]);
});

test('the files are larger than the host, and the VMs together as large as it', (t) => {
  t.true(FILE_MIB > HOST_MEMORY_MIB);
  t.is(2 * VM_MEMORY_MIB, HOST_MEMORY_MIB);
});

test('the configuration is one that the program takes from a trace, for both architectures', (t) => {
  for (const arch of ['x86_64', 'arm64'] as const) {
    const config = vmConfig({ arch, timeScale: 0.1, policy: 'step' });
    t.deepEqual(balloonVm.parseConfig(JSON.parse(JSON.stringify(config))), config);
    t.is(config.expects, 'recovery');
    t.is(vmConfig({ arch, timeScale: 1, policy: 'off' }).expects, null);
    // The shell takes the configuration as it stands.
    t.true(hostScript(config).includes(`<<'JSON'\n${JSON.stringify(config)}\nJSON`));
  }
});
