import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { bzImageHead, KERNEL_FILE_BYTES } from '../machine/fake-kernel.js';
import { whyNoKvm } from '../machine/kvm-lab.js';

const MAIN = 'dist/bin/halyard.cjs';

function run(args: readonly string[]) {
  return spawnSync(process.execPath, [MAIN, 'run', ...args], { encoding: 'utf8', input: '' });
}

test('an image that is not there is refused before anything is recorded', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-images-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const trace = join(folder, 'run.mcap');
  for (const [args, says] of [
    [['--kernel', join(folder, 'none')], /--kernel .*none: there is no such file/],
    [['--kernel', folder], /no plain file/],
    [
      ['--kernel', 'package.json', '--initrd', join(folder, 'none')],
      /--initrd .*none: there is no/,
    ],
    [['--initrd', 'package.json'], /--initrd goes with --kernel/],
  ] as const) {
    const { status, stderr } = run([...args, '--record', trace]);
    t.is(status, 2, stderr);
    t.regex(stderr, says);
    t.false(existsSync(trace));
  }
});

const why = whyNoKvm();
const onKvm = why === undefined ? test : test.skip;

onKvm(
  `a kernel that cannot be booted: one line with its path, exit code 2, a whole trace${why === undefined ? '' : ` (skipped: ${why})`}`,
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'halyard-images-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const kernel = join(folder, 'vmlinuz');
    const trace = join(folder, 'run.mcap');
    const whole = new Uint8Array(KERNEL_FILE_BYTES);
    whole.set(bzImageHead());
    for (const [content, memory, says] of [
      [new Uint8Array(5000).fill(0x41), '256', /vmlinuz is no kernel that can be booted/],
      [whole.subarray(0, 100_000), '256', /vmlinuz is cut off: it has 100000 of/],
      [whole, '64', /will not fit: there must be 68 MiB/],
    ] as const) {
      writeFileSync(kernel, content);
      const { status, stderr } = run(['--kernel', kernel, '--memory', memory, '--record', trace]);
      t.is(status, 2, stderr);
      t.regex(stderr, says);
      t.is(stderr.trim().split('\n').length, 1);
      const replayed = spawnSync(process.execPath, [MAIN, 'replay', trace], { encoding: 'utf8' });
      t.is(replayed.status, 0, replayed.stderr);
      t.regex(replayed.stdout, /1 turns, \d+ calls match \(failed\)/);
    }
  },
);
