import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { folderWith, seccomp } from './seccomp-kit.js';

const POLICY = `# What a device may do.
read: 1
madvise: arg2 == MADV_DONTNEED
openat: return EPERM
`;
const X86 = ['--arch', 'x86_64', '--dialect', 'minijail-c'];

test('a policy is compiled to a raw filter, which is disassembled and run without its policy', (t) => {
  const path = folderWith(t, { 'a.policy': POLICY });
  const compiled = seccomp('compile', path('a.policy'), ...X86, '-o', path('a.bpf'));
  t.is(compiled.status, 0, compiled.stderr);
  t.regex(
    compiled.stdout,
    /a\.bpf: written; .*a\.policy for x86_64 \(minijail-c\): \d+ instructions, 3/,
  );
  const bytes = readFileSync(path('a.bpf'));
  t.regex(compiled.stdout, new RegExp(`: ${bytes.length / 8} instructions, `));
  // ld arch; jeq AUDIT_ARCH_X86_64.
  t.is(bytes.subarray(0, 8).toString('hex'), '2000000004000000');
  const shown = seccomp('disasm', path('a.bpf'), '--arch', 'x86_64').stdout;
  t.is(shown.trimEnd().split('\n').length, bytes.length / 8);
  t.regex(shown, /jeq #AUDIT_ARCH_X86_64, /);
  t.regex(shown, /jeq #madvise, /);
  const remove = ['--syscall', 'madvise', '--args', '0', '4096', 'MADV_REMOVE', '--arch', 'x86_64'];
  t.regex(seccomp('eval', path('a.bpf'), ...remove).stdout, /^KILL_THREAD \(\d+ instructions/);
  const json = JSON.parse(
    seccomp('eval', path('a.policy'), ...X86, '--nr', '28', '--args=-1,0,4', '--json').stdout,
  ) as object;
  t.like(json, { syscall: 'madvise', verdict: 'ALLOW', returned: 0x7fff0000 });
});

test('C goes to standard output or to a file', (t) => {
  const path = folderWith(t, { 'a.policy': POLICY });
  const c = [...X86, '--format', 'c', '--name', 'balloon'];
  const { stdout } = seccomp('compile', path('a.policy'), ...c);
  t.regex(stdout, /^#include <linux\/filter\.h>[\s\S]*struct sock_filter balloon\[\] = \{/);
  seccomp('compile', path('a.policy'), ...c, '-o', path('a.c'));
  t.is(readFileSync(path('a.c'), 'utf8'), stdout);
});

test('a refusal is explained by line and atom, with what would allow it', (t) => {
  const path = folderWith(t, { 'a.policy': POLICY });
  const call = ['--syscall', 'madvise', '--args', '0,4096,MADV_REMOVE'];
  const { stdout, status } = seccomp('explain', path('a.policy'), ...X86, ...call);
  t.is(status, 0);
  t.regex(stdout, /a\.policy:3: /);
  t.regex(stdout, /line 3 has `arg2 == MADV_DONTNEED`, arg2 is 9 \(MADV_REMOVE\)/);
  t.regex(stdout, /to allow it: add `\|\| arg2 == MADV_REMOVE` to line 3/);
  const json = JSON.parse(
    seccomp('explain', path('a.policy'), ...X86, ...call, '--json').stdout,
  ) as object;
  t.like(json, { verdict: 'KILL_THREAD', by: 'otherwise' });
});

test('lint fails for warnings, and compares the policies of several architectures', (t) => {
  const path = folderWith(t, {
    'a.policy': POLICY,
    'trap.policy': 'read: arg0 == 1; return EPERM\n',
    'arm.policy': 'read: 1\n',
  });
  t.is(seccomp('lint', path('a.policy'), ...X86).status, 0);
  const trap = seccomp('lint', path('trap.policy'), ...X86);
  t.is(trap.status, 1);
  t.regex(trap.stdout, /trap\.policy:1:\d+: warning: /);
  const both = seccomp(
    'lint',
    `x86_64=${path('a.policy')}`,
    `arm=${path('arm.policy')}`,
    '--dialect',
    'minijail-c',
    '--json',
  );
  t.is(both.status, 1);
  const { parity } = JSON.parse(both.stdout) as { parity: { message: string }[] };
  t.is(parity.length, 1);
  t.regex(parity[0]?.message ?? '', /x86_64 lets madvise through, arm does not/);
});

test('diff names what differs, with a syscall that shows it, and which policy allows less', (t) => {
  const path = folderWith(t, {
    'a.policy': POLICY,
    'b.policy': POLICY.replace('DONTNEED', 'DONTNEED || arg2 == MADV_REMOVE'),
  });
  const [a, b] = [path('a.policy'), path('b.policy')];
  const { status, stdout } = seccomp('diff', a, b, ...X86);
  t.is(status, 1);
  t.regex(
    stdout,
    /^madvise: KILL_THREAD → ALLOW for arg2 = 9\n {2}as in madvise\(0, 0, 9, 0, 0, 0\)\n/,
  );
  t.regex(
    stdout,
    /a\.policy is a subset of .*b\.policy\n.*b\.policy is not a subset of .*a\.policy\n$/,
  );
  t.is(seccomp('diff', a, b, ...X86, '--subset').status, 0);
  t.is(seccomp('diff', b, a, ...X86, '--subset').status, 1);
  t.is(seccomp('diff', a, a, ...X86).status, 0);
  const json = JSON.parse(seccomp('diff', a, b, ...X86, '--json').stdout) as {
    differences: { witness: object }[];
  };
  t.like(json, { same: false, aWithinB: true, bWithinA: false });
  t.like(json.differences[0]?.witness, {
    nr: 28,
    args: ['0x0', '0x0', '0x9', '0x0', '0x0', '0x0'],
  });
});

test('one text in two dialects is compared as what it means in each', (t) => {
  const path = folderWith(t, { 'a.policy': 'read: arg0 == 1; return EPERM\n' });
  const { stdout } = seccomp(
    ...['diff', path('a.policy'), path('a.policy')],
    ...[...X86, '--dialect-b', 'minijail-python'],
  );
  t.regex(stdout, /read: ALLOW → ERRNO\(1\) for arg0 = 1/);
});

test('learn writes a policy for each architecture, and none over another', (t) => {
  const path = folderWith(t, {
    log: 'openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_DIRECTORY) = 3\nmmap(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0) = 0x7f0000000000\n',
  });
  const args = ['learn', '--strace', path('log'), '--log-arch', 'x86_64', '-o', path('out')];
  const flags = ['--dialect', 'minijail-python', '--name', 'x'];
  const { status, stdout } = seccomp(...args, ...flags);
  t.is(status, 0);
  t.is(stdout.trimEnd().split('\n').length, 3);
  const arm = readFileSync(path('out/arm/x.policy'), 'utf8');
  t.regex(arm, /^mmap2: arg2 == PROT_READ && arg3 == MAP_SHARED$/m);
  t.regex(readFileSync(path('out/x86_64/x.policy'), 'utf8'), /^mmap: arg2 == PROT_READ /m);
  t.true(existsSync(path('out/aarch64/x.policy')));
  const again = seccomp(...args, ...flags);
  t.is(again.status, 2);
  t.regex(again.stderr, /EEXIST: name another folder or --name/);
  // What was learned allows what was seen, with each architecture's own constants.
  const call = ['--syscall', 'openat', '--args', '0,0,O_RDONLY|O_DIRECTORY'];
  const asked = ['--arch', 'arm', '--dialect', 'minijail-python', ...call];
  t.regex(seccomp('eval', path('out/arm/x.policy'), ...asked).stdout, /^ALLOW/);
});

test("learn takes the syscalls of a recording's HAL calls, of one lane if wanted", (t) => {
  const file = 'recordings/device-killed/run.mcap';
  const flags = ['--lane', 'device', '--arch', 'arm', '--dialect', 'minijail-c'];
  const { status, stdout, stderr } = seccomp('learn', '--trace', file, ...flags);
  t.is(status, 0, stderr);
  t.regex(stdout, /^madvise: arg2 == MADV_REMOVE$/m);
  t.regex(stdout, /^mmap2: arg2 == PROT_READ\|PROT_WRITE && arg3 == MAP_SHARED$/m);
  // libuv makes what it polls non-blocking; nothing else is asked of a descriptor so.
  t.regex(stdout, /^ioctl: arg1 == FIONBIO$/m);
  t.notRegex(stdout, /^socket: /m);
  t.regex(stderr, /not what Node does itself: record with --jail log/);
});

/** What a person may get wrong, and the one line that says so. */
const MISTAKES: readonly (readonly [string, RegExp])[] = [
  ['compile A', /say which dialect the policy is written in/],
  ['compile A --dialect foo', /Allowed choices are minijail-c, minijail-python/],
  [
    'compile A --dialect minijail-c --arch mips',
    /no syscalls are known for the architecture "mips"/,
  ],
  ['compile NO --dialect minijail-c', /no cannot be read: ENOENT/],
  ['compile A --dialect minijail-c --name 1x', /--name is an identifier of C/],
  ['compile A --dialect minijail-c -o NO/x', /x cannot be written: ENOENT/],
  ['compile A --dialect minijail-c --default-action boom', /--default-action is one of allow, /],
  ['compile LONG --dialect minijail-c', /arg6 is accepted by minijail but the kernel refuses it/],
  ['disasm A', /no program that a kernel takes: .* say its --dialect/],
  ['eval BPF', /name the syscall, --syscall NAME or --nr NUMBER/],
  ['eval BPF --syscall foo', /has no syscall "foo"/],
  ['eval BPF --nr 1 --args 1,2,3,4,5,6,7', /a syscall has six arguments, got 7/],
  ['eval BPF --nr 1 --args FOO', /argument 0 is a number of at most 64 bits or a constant/],
  ['learn --dialect minijail-c', /say what to learn from/],
  ['learn --strace A --audit A --dialect minijail-c', /say what to learn from: one of/],
  ['learn --strace A --dialect minijail-c', /no line of strace in it/],
  ['learn --audit A --dialect minijail-c --log-arch arm', /no audit record of a filter for arm/],
  ['learn --strace A', /say which dialect/],
];

for (const [command, message] of MISTAKES) {
  test(`halyard seccomp ${command}: one clear line, and exit code 2`, (t) => {
    const path = folderWith(t, {
      a: POLICY,
      long: 'read: arg6 == 1\n',
      bpf: Buffer.from('060000000000ff7f', 'hex'),
    });
    const args = command
      .split(' ')
      .map((word) => word.replace(/^(A|NO|LONG|BPF)(?=$|\/)/, (name) => path(name.toLowerCase())));
    const { status, stdout, stderr } = seccomp(...args);
    t.is(status, 2);
    t.is(stdout, '');
    // What the parser warns of stands before it.
    t.regex(stderr, /(?:^|\n)halyard: [^\n]+\n$/);
    t.regex(stderr, message);
  });
}

test('all faults of a policy are told, with their places, and to programs as well', (t) => {
  const path = folderWith(t, { 'a.policy': 'reed: 1\nread: arg9 == 2\n' });
  const { status, stdout, stderr } = seccomp(
    ...['compile', path('a.policy'), '--arch', 'arm', '--dialect', 'minijail-python', '--json'],
  );
  t.is(status, 2);
  t.regex(stderr, /a\.policy:1:1: error: .*reed[\s\S]*a\.policy:2:7: error: /);
  const { error } = JSON.parse(stdout) as { error: { code: string; faults: { code: string }[] } };
  t.is(error.code, 'POLICY_REJECTED');
  t.deepEqual(
    error.faults.map(({ code }) => code),
    ['unknown-syscall', 'invalid-argument'],
  );
});

test('an include of the C dialect is looked for where the command runs', (t) => {
  const path = folderWith(t, { 'a.policy': '@include ./common.policy\n', 'common.policy': POLICY });
  writeFileSync(path('py.policy'), '@include ./common.policy\n');
  const c = seccomp('compile', path('a.policy'), ...X86);
  t.is(c.status, 2);
  t.regex(c.stderr, /cannot read '\.\/common\.policy': ENOENT/);
  t.is(seccomp('compile', path('py.policy'), '--dialect', 'minijail-python').status, 0);
});
