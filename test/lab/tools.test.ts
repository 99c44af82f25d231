import test from 'ava';
import { LAB_MACHINES } from '../../lab/machines.js';
import { requireTools } from '../../lab/tools.js';

const without =
  (...missing: readonly string[]) =>
  (name: string) =>
    missing.includes(name) ? undefined : `/bin/${name}`;

test('what is missing is named, with the line that installs it', (t) => {
  const find = without('qemu-system-aarch64');
  const error = t.throws(() => requireTools(LAB_MACHINES.arm64, { install: false, find }), {
    code: 'UNSUPPORTED',
  });
  t.is(
    error?.message,
    'The lab needs qemu-system-aarch64, which is not installed. Run "apt-get install ' +
      '--no-install-recommends -y qemu-system-arm" as root, or call the lab with --install.',
  );
});

test('a package that has two of the programs is named once', (t) => {
  const find = without('mke2fs', 'debugfs', 'qemu-system-x86_64');
  t.throws(() => requireTools(LAB_MACHINES.x86_64, { install: false, find }), {
    message:
      /needs qemu-system-x86_64, mke2fs, debugfs, which are .* -y qemu-system-x86 e2fsprogs"/,
  });
});

test('the other architecture’s QEMU is not asked for', (t) => {
  const find = without('qemu-system-aarch64');
  t.notThrows(() => requireTools(LAB_MACHINES.x86_64, { install: false, find }));
});
