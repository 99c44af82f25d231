import test from 'ava';
import { faultsWithoutPolicy, faultsWithPolicy, reportOf } from '../../lab/two-vms/report.js';
import {
  FILE_MIB,
  HOST_MEMORY_MIB,
  hostScript,
  MARGIN_MIB,
  VM_MEMORY_MIB,
  vmConfig,
} from '../../lab/two-vms/scenario.js';
import { balloonVm } from '../../src/programs/balloon-vm.js';

const LOG = `available 700 MiB, margin 400 MiB
  1.0 s  available 700 MiB, margin 400 MiB, balloon 0 MiB
  2.0 s  available 390 MiB, margin 400 MiB, balloon 32 MiB
  yes  available memory fell under the margin (390 of 400 MiB)
  yes  the guest lived to an orderly end (power-off)
`;

function report(change: { log?: string; killed?: string; output?: string } = {}) {
  const { log = LOG, killed = '', output = 'exit first 0\nexit second 0\n' } = change;
  const files: Record<string, string> = { 'first.log': log, 'second.log': LOG, killed };
  return reportOf(output, (file) => files[file]);
}

test('a run that shows all of it has no faults', (t) => {
  const found = report();
  t.deepEqual(faultsWithPolicy(found), []);
  t.deepEqual(
    found.vms.map(({ name, exitCode, lowestMiB, findings }) => [
      name,
      exitCode,
      lowestMiB,
      findings.length,
    ]),
    [
      ['first', 0, 390, 2],
      ['second', 0, 390, 2],
    ],
  );
});

for (const [what, change, says] of [
  [
    'a finding that does not hold',
    { log: LOG.replace('yes  the guest', 'NO   the guest') },
    /first: NO {3}the guest/,
  ],
  ['a run that failed', { output: 'exit first 1\nexit second 0\n' }, /first VM ended with 1/],
  ['a run that never ended', { output: 'exit second 0\n' }, /first VM ended with nothing/],
  ['a run without findings', { log: '' }, /first VM has no findings/],
  [
    'a process that was killed',
    { killed: '[1] Out of memory: Killed process 7 (node)\n' },
    /Killed process 7/,
  ],
] as const) {
  test(`${what} is a fault`, (t) => {
    const faults = faultsWithPolicy(report(change));
    t.is(faults.length, 1);
    t.regex(faults[0] ?? '', says);
  });
}

test('without a policy the host must come under the margin, or kill', (t) => {
  const high = LOG.replace('390 MiB, margin', '500 MiB, margin').replace('390 MiB, margin', '500');
  t.deepEqual(faultsWithoutPolicy(report(), MARGIN_MIB), []);
  const files: Record<string, string> = { 'first.log': high, 'second.log': high };
  const calm = reportOf('', (file) => files[file]);
  t.is(faultsWithoutPolicy(calm, MARGIN_MIB).length, 1);
  t.deepEqual(faultsWithoutPolicy({ ...calm, killed: ['x'] }, MARGIN_MIB), []);
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
