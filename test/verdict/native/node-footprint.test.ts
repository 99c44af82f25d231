import test from 'ava';
import { measureNode } from '../../../scripts/measure-node.js';
import { keyOf } from '../../../scripts/strace-threads.js';
import { namedArguments } from '../../../scripts/syscall-shapes.js';
import { readNodeFootprints } from '../../../src/cli/node-footprints.js';
import { architectureOf } from '../../../src/seccomp/architecture.js';
import { orSkip, whyNoJail, whyNoStrace } from '../../hal/native/native-rig.js';

/** Node, V8 and the C library make these too, but not in every run. */
const RARE = new Set([
  'brk',
  'clock_gettime',
  'mmap',
  'mprotect',
  'mremap',
  'openat',
  'restart_syscall',
  'sched_yield',
]);
const OFTEN = ['epoll_pwait', 'futex', 'madvise', 'munmap', 'read', 'write'];

const measured = readNodeFootprints().find(
  ({ node, arch }) => node === process.version && arch === architectureOf(process.arch).name,
);
const unmeasured =
  measured === undefined
    ? `${process.version} on ${process.arch} is not measured: npm run node-footprint`
    : undefined;

orSkip(unmeasured ?? whyNoJail() ?? whyNoStrace())(
  'a device does nothing that was not measured, beside what its calls declare',
  (t) => {
    const known = new Set(measured?.syscalls.map(({ name, args }) => keyOf(name, args)));
    const { syscalls } = measureNode(1.5);
    const seen = syscalls.filter(({ name }) => !RARE.has(name));
    t.deepEqual(
      seen.map(({ name, args }) => keyOf(name, args)).filter((key) => !known.has(key)),
      [],
    );
    const names = new Set(syscalls.map(({ name }) => name));
    t.deepEqual(
      OFTEN.filter((name) => !names.has(name)),
      [],
      'it was looked at',
    );
    t.false(names.has('sendmsg'), 'what the calls of the HAL declare is not counted as its own');
  },
);

test('arguments that tell something have names, on every architecture', (t) => {
  for (const arch of ['x86_64', 'aarch64', 'arm'] as const) {
    const architecture = architectureOf(arch);
    const map = arch === 'arm' ? 'mmap2' : 'mmap';
    t.deepEqual(namedArguments(map, [0n, 1n, 3n, 0x22n], architecture), {
      2: 'PROT_READ|PROT_WRITE',
    });
    t.deepEqual(namedArguments('mprotect', [0n, 1n, 0n], architecture), { 2: 'PROT_NONE' });
    const flags = architecture.constants.get('O_CLOEXEC') ?? 0n;
    t.deepEqual(namedArguments('openat', [0n, 1n, flags], architecture), {
      2: 'O_RDONLY|O_CLOEXEC',
    });
    t.deepEqual(namedArguments('madvise', [0n, 1n, 77n], architecture), { 2: 77 });
    t.deepEqual(namedArguments('read', [0n, 1n, 77n], architecture), {});
  }
});
