import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { loadDeviceJail } from '../../../src/cli/device-jail.js';
import { packageRoot } from '../../../src/package-info.js';
import { type ArchitectureName, architectureOf } from '../../../src/seccomp/architecture.js';
import { decodeProgram } from '../../../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../../../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../../../src/seccomp/compile/compile.js';
import { PolicyEvaluator } from '../../../src/seccomp/evaluate.js';
import { parsePolicy } from '../../../src/seccomp/language/parse-policy.js';
import type { Dialect, Policy } from '../../../src/seccomp/policy.js';
import { seccompData } from '../../../src/seccomp/seccomp-data.js';
import { actionOf, formatAction } from '../../../src/seccomp/verdict.js';

const ARCHITECTURES = ['x86_64', 'aarch64', 'arm'] as const;

function parse(file: string, dialect: Dialect, name: ArchitectureName): Policy {
  return parsePolicy({
    text: readFileSync(file, 'utf8'),
    file,
    dialect,
    architecture: architectureOf(name),
    include: (path) => readFileSync(path, 'utf8'),
    defaultAction: { kind: 'kill-process' },
  }).policy;
}

const shipped = (name: ArchitectureName) =>
  parse(join(packageRoot(), 'seccomp', name, 'balloon_device.policy'), 'minijail-python', name);

/** What becomes of a call; the architecture's own name where it has another. */
function verdictOf(policy: Policy, name: string, args: readonly bigint[]): string {
  const { syscalls, auditArch } = policy.architecture;
  const number = syscalls.get(name) ?? syscalls.get(ALIASES[name] ?? '');
  if (number === undefined) return 'no such call';
  return formatAction(new PolicyEvaluator(policy).actionOf(seccompData(auditArch, number, args)));
}

const ALIASES: Readonly<Record<string, string>> = { mmap: 'mmap2', fstat: 'fstat64' };

const KILLED = 'KILL_PROCESS';
const CASES: readonly (readonly [name: string, args: readonly bigint[], verdict: string])[] = [
  ['read', [], 'ALLOW'],
  ['recvmsg', [], 'ALLOW'],
  ['mmap', [0n, 4096n, 3n], 'ALLOW'],
  ['mmap', [0n, 4096n, 7n], KILLED],
  ['mmap', [0n, 4096n, 4n], KILLED],
  ['mprotect', [0n, 4096n, 3n], 'ALLOW'],
  ['mprotect', [0n, 4096n, 5n], KILLED],
  ['madvise', [0n, 0n, 9n], 'ALLOW'],
  ['madvise', [0n, 0n, 4n], 'ALLOW'],
  ['madvise', [0n, 0n, 10n], 'ALLOW'],
  ['madvise', [0n, 0n, 12n], KILLED],
  ['openat', [0n, 0n, 0o2000000n], 'ERRNO(1)'],
  ['openat', [0n, 0n, 0o2000001n], KILLED],
  ['openat', [0n, 0n, 0n], KILLED],
  ['ioctl', [0n, 0x5421n], 'ALLOW'],
  ['ioctl', [0n, 0x5401n], 'ERRNO(1)'],
  ['ioctl', [0n, 0x5412n], KILLED],
  ['fcntl', [0n, 3n], 'ALLOW'],
  ['fcntl', [0n, 8n], KILLED],
  ['fcntl', [0n, 10n], KILLED],
  ['tgkill', [0n, 0n, 6n], 'ALLOW'],
  ['tgkill', [0n, 0n, 15n], KILLED],
  ...['execve', 'execveat', 'clone', 'clone3', 'socket', 'connect', 'ptrace', 'kill', 'prctl'].map(
    (name) => [name, [], KILLED] as const,
  ),
  ...['seccomp', 'process_vm_writev', 'pidfd_open', 'io_uring_setup', 'bpf', 'memfd_create'].map(
    (name) => [name, [], KILLED] as const,
  ),
];

for (const name of ARCHITECTURES) {
  test(`the device's policy for ${name} allows what it needs, and no more`, (t) => {
    const policy = shipped(name);
    for (const [call, args, expected] of CASES) {
      t.is(verdictOf(policy, call, args), expected, `${call}(${args.join(', ')})`);
    }
    t.true(compilePolicy(policy).length < 200);
  });
}

test('the three policies allow the same, but for the names of an architecture', (t) => {
  const [first, ...others] = ARCHITECTURES.map(
    (name) => new Set([...shipped(name).syscalls.values()].map((rules) => rules.name)),
  );
  /** What some of them do not have, or have twice. */
  const own =
    /^(open|epoll_wait|mmap2?|fcntl(64)?|fstat(64)?|newfstatat|statx|sigreturn|.*_time64|.*gettime64)$/;
  const common = (names: ReadonlySet<string> | undefined) =>
    [...(names ?? [])].filter((each) => !own.test(each)).sort();
  for (const other of others) t.deepEqual(common(other), common(first));
});

for (const name of ['x86_64', 'arm'] as const) {
  const file = join(packageRoot(), 'test', 'seccomp', 'data', `balloon-2018-${name}.policy`);
  test(`the policy of 2018 for ${name} means the same in both dialects`, (t) => {
    const [c, python] = (['minijail-c', 'minijail-python'] as const).map((dialect) =>
      parse(file, dialect, name),
    );
    if (c === undefined || python === undefined) return t.fail();
    t.deepEqual([...c.syscalls.keys()].sort(), [...python.syscalls.keys()].sort());
    const { auditArch } = c.architecture;
    const programs = [c, python].map((policy) => new Interpreter(compilePolicy(policy)));
    for (const number of [...c.syscalls.keys(), 9999]) {
      for (const value of [0n, 4n, 7n, 8n, 9n, 15n, 16n, 0x10000n, 0xfffffffbn]) {
        const data = seccompData(auditArch, number, [value, value, value]);
        const [one, other] = programs.map((program) => formatAction(actionOf(program.run(data))));
        t.is(one, other, `${number} ${value}`);
      }
    }
    t.is(verdictOf(c, 'madvise', [0n, 0n, 9n]), 'ALLOW', 'MADV_REMOVE');
    t.is(verdictOf(c, 'madvise', [0n, 0n, 8n]), KILLED, 'MADV_FREE');
  });

  test(`the policy of 2018 for ${name}, before its change, ends a device that discards`, (t) => {
    const text = readFileSync(file, 'utf8').replace(' || arg2 == MADV_REMOVE', '');
    const before = parsePolicy({
      text,
      file,
      dialect: 'minijail-python',
      architecture: architectureOf(name),
      defaultAction: { kind: 'kill-process' },
    }).policy;
    t.is(verdictOf(before, 'madvise', [0n, 0n, 9n]), KILLED);
    t.is(verdictOf(before, 'madvise', [0n, 0n, 4n]), 'ALLOW');
  });
}

test('the package ships the policies', (t) => {
  const { files } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  t.true(files.includes('seccomp'));
  for (const name of ARCHITECTURES) {
    for (const file of ['common_device.policy', 'balloon_device.policy']) {
      t.true(existsSync(join(packageRoot(), 'seccomp', name, file)));
    }
  }
});

test('a program is for this machine, and a file that is no policy is refused by name', (t) => {
  const { programs } = loadDeviceJail('kill-process');
  const bytes = programs.get('balloon_device') ?? new Uint8Array();
  t.true(decodeProgram(bytes).length > 10);
  const missing = t.throws(() => loadDeviceJail('kill-process', '/no/such.policy'));
  t.regex(missing?.message ?? '', /\/no\/such\.policy cannot be read/);
  const wrong = t.throws(() => loadDeviceJail('kill-process', join(packageRoot(), 'README.md')));
  t.regex(wrong?.message ?? '', /README\.md/);
});
