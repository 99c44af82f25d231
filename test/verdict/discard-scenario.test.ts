import { spawnSync } from 'node:child_process';
import test from 'ava';
import type { JailReport } from '../../src/cli/jail-check.js';

const RECORDING = 'recordings/device-killed/run.mcap';
const ARCHITECTURES = ['x86_64', 'aarch64', 'arm'] as const;

function judged(policy: string, arch: string, ...more: readonly string[]) {
  const args = ['replay', RECORDING, '--jail', policy, '--arch', arch, ...more];
  return spawnSync(process.execPath, ['dist/bin/halyard.cjs', ...args], { encoding: 'utf8' });
}

for (const arch of ARCHITECTURES) {
  const old = `test/verdict/policies-of-2018/${arch}.policy`;

  test(`${arch}: a device that discards by MADV_REMOVE under a policy that allows MADV_DONTNEED only`, (t) => {
    const { status, stdout, stderr } = judged(old, arch);
    t.is(status, 1, stderr);
    const line = new RegExp(
      `turn \\d+: mmap\\.discard makes madvise\\(…, 0x[0-9a-f]+, MADV_REMOVE\\): ${arch}\\.policy:11 ` +
        'allows MADV_DONTNEED only; its thread is killed',
    );
    t.regex(stdout, line);
    const [report] = (JSON.parse(judged(old, arch, '--json').stdout) as { jail: JailReport }[]).map(
      ({ jail }) => jail,
    );
    const refused = report?.lanes.flatMap(({ findings }) => findings) ?? [];
    t.deepEqual(
      refused.map(({ kind, lane, entry }) => ({ kind, lane, entry })),
      ['device', 'device#2'].map((lane) => ({ kind: 'refused', lane, entry: 'mmap.discard' })),
      'and nothing else',
    );
    t.true(
      refused.every(({ turn, call, times }) => turn > 0 && call !== undefined && times > 1000),
    );
  });

  test(`${arch}: the shipped policy lets it do all that it does`, (t) => {
    const { status, stdout } = judged(`seccomp/${arch}/balloon_device.policy`, arch);
    t.is(status, 0, stdout);
    t.regex(stdout, /nothing of it is refused/);
  });
}

test('a policy without its architecture, and one that cannot be read, are bad usage', (t) => {
  const policy = 'seccomp/arm/balloon_device.policy';
  const [first, second, third] = [
    spawnSync(process.execPath, ['dist/bin/halyard.cjs', 'replay', RECORDING, '--jail', policy]),
    judged('seccomp/none.policy', 'arm'),
    judged(policy, 'x86_64'),
  ].map(({ status, stderr }) => ({ status, stderr: String(stderr) }));
  t.is(first?.status, 2);
  t.regex(first?.stderr ?? '', /--jail needs the policy's --arch/);
  t.is(second?.status, 2);
  t.regex(second?.stderr ?? '', /none\.policy cannot be read/);
  t.is(third?.status, 2);
  t.regex(third?.stderr ?? '', /has no syscall 'mmap2'/);
});

test('a lane that there is not is bad usage, and one that is not jailed can be judged', (t) => {
  const policy = 'seccomp/x86_64/balloon_device.policy';
  const none = judged(policy, 'x86_64', '--lane', 'nobody');
  t.is(none.status, 2);
  t.regex(none.stderr, /no lane nobody; it has main, device, device#2/);
  const main = judged(policy, 'x86_64', '--lane', 'main');
  t.is(main.status, 1);
  t.regex(
    main.stdout,
    /channel\.pair makes socketpair\(AF_UNIX, .*the policy has no rule for socketpair/,
  );
  t.regex(main.stdout, /common_device\.policy:\d+ refuses it; it fails with EPERM/);
  t.regex(main.stdout, /Node makes those of .*process\.spawn/);
});
