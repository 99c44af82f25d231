import test from 'ava';
import fc from 'fast-check';
import { ARCHITECTURE_NAMES, architectureOf } from '../../src/seccomp/architecture.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import { parseAuditLog } from '../../src/seccomp/learn/audit-log.js';
import { LearnInputError } from '../../src/seccomp/learn/observation.js';
import { proposePolicy } from '../../src/seccomp/learn/propose.js';
import { observeRefused } from '../../src/seccomp/learn/refused-calls.js';
import { parseStraceLog } from '../../src/seccomp/learn/strace-log.js';
import { seccompData } from '../../src/seccomp/seccomp-data.js';
import { argumentValue } from '../../src/seccomp/word-text.js';

const X86 = architectureOf('x86_64');

/** The rules learned from lines of strace on x86_64, by name. */
function learned(lines: string, arch = 'x86_64', from = 'x86_64'): ReadonlyMap<string, string> {
  const run = parseStraceLog(lines, architectureOf(from));
  const architecture = architectureOf(arch);
  const { rules } = proposePolicy(run, { architecture, dialect: 'minijail-c', source: 'a test' });
  return new Map(rules.map(({ name, expression }) => [name, expression]));
}

const ruleOf = (line: string, arch?: string, from?: string) => [...learned(line, arch, from)][0];

const LINES: readonly (readonly [string, string, string])[] = [
  ['close(3) = 0', 'close', '1'],
  ['1234 close(3) = 0', 'close', '1'],
  ['[pid  1234] close(3) = 0', 'close', '1'],
  ['12:34:56 close(3) = 0', 'close', '1'],
  ['1234 12:34:56.789012 close(3) = 0', 'close', '1'],
  ['1700000000.123456 close(3) = -1 EBADF (Bad file descriptor)', 'close', '1'],
  ['madvise(0x7f0000000000, 4096, MADV_REMOVE) = 0', 'madvise', 'arg2 == MADV_REMOVE'],
  ['madvise(0x7f0000000000, 4096, 0x66 /* MADV_??? */) = -1 EINVAL', 'madvise', 'arg2 == 0x66'],
  ['ioctl(3, KVM_RUN, 0) = 0', 'ioctl', 'arg1 == KVM_RUN'],
  ['ioctl(3, SNDCTL_TMR_TIMEBASE or TCGETS, {c_iflag=ICRNL|IXON, ...}) = 0', 'ioctl', '1'],
  ['ioctl(3, TCGETS or SNDCTL_TMR_TIMEBASE, {c_iflag=ICRNL, ...}) = 0', 'ioctl', 'arg1 == TCGETS'],
  ['ioctl(3, _IOC(_IOC_READ|_IOC_WRITE, 0xae, 0x1, 0x8), 0) = 0', 'ioctl', 'arg1 == 0xc008ae01'],
  [
    'openat(AT_FDCWD, "a, (b) \\"c\\" /* d", O_RDONLY|O_CLOEXEC) = 3',
    'openat',
    'arg2 == O_RDONLY|O_CLOEXEC',
  ],
  ['openat(AT_FDCWD, "a\\", (", O_PATH) = 3', 'openat', 'arg2 == O_PATH'],
  // The offset is one number for strace and two arguments for the kernel.
  ['preadv2(3, [{iov_base="", iov_len=1}], 1, 0, RWF_NOWAIT) = 1', 'preadv2', 'arg5 == RWF_NOWAIT'],
  ['openat(3</dev/x, y>, "a", O_PATH) = 4', 'openat', 'arg2 == O_PATH'],
  [
    'clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f00) = 12',
    'clone',
    'arg0 == CLONE_CHILD_CLEARTID|SIGCHLD',
  ],
  // The mask is printed in the fifth place and is the kernel's sixth argument.
  [
    'futex(0x7f00, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, FUTEX_BITSET_MATCH_ANY) = 0',
    'futex',
    'arg1 == FUTEX_WAIT_BITSET_PRIVATE',
  ],
  [
    'wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 7',
    'wait4',
    'arg2 == WNOHANG',
  ],
  ['mknodat(3, "a", S_IFCHR|0644, makedev(0x1, 0x3)) = 0', 'mknodat', 'arg2 == S_IFCHR|0x1a4'],
  ['exit_group(0) = ?', 'exit_group', '1'],
  ['syscall_0x1(0x1, 0x2) = 2', 'write', '1'],
  ['7 read(3,  <unfinished ...>', 'read', '1'],
];

for (const [line, name, expression] of LINES) {
  test(`strace: ${line}`, (t) => {
    t.deepEqual(ruleOf(line), [name, expression]);
  });
}

test('a call that another process interrupts is put together', (t) => {
  const rules = learned(
    [
      '7 epoll_ctl(3, EPOLL_CTL_ADD,  <unfinished ...>',
      '8 epoll_ctl(4, EPOLL_CTL_DEL,  <unfinished ...>',
      '9 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---',
      '8 <... epoll_ctl resumed>5, 0x7ffc00) = 0',
      '7 <... epoll_ctl resumed>4, {events=EPOLLIN, data=0x0}) = 0',
      '9 +++ exited with 0 +++',
    ].join('\n'),
  );
  t.is(rules.get('epoll_ctl'), 'arg1 == EPOLL_CTL_DEL || arg1 == EPOLL_CTL_ADD');
});

test('what is not understood is told, and what is no log is refused', (t) => {
  const { remarks } = parseStraceLog('close(1) = 0\nwhat is this\nfoo(1) = 0\n', X86);
  t.deepEqual(remarks, [
    'line 2: not understood: what is this',
    'line 3: x86_64 has no syscall foo',
  ]);
  t.throws(() => parseStraceLog('what is this\n', X86), { instanceOf: LearnInputError });
});

const TRANSLATED: readonly (readonly [string, string, string, string])[] = [
  [
    'mmap(NULL, 1, PROT_READ, MAP_SHARED, 3, 0) = 0x1000',
    'arm',
    'mmap2',
    'arg2 == PROT_READ && arg3 == MAP_SHARED',
  ],
  ['open("a", O_PATH) = 3', 'aarch64', 'openat', 'arg2 == O_PATH'],
  ['fcntl(3, F_GETFD) = 0', 'arm', 'fcntl64', 'arg1 == F_GETFD'],
  ['lseek(3, 0, SEEK_END) = 0', 'arm', '_llseek', 'arg4 == SEEK_END'],
  [
    'fallocate(3, FALLOC_FL_KEEP_SIZE, 0, 1) = 0',
    'arm',
    'fallocate',
    'arg1 == FALLOC_FL_KEEP_SIZE',
  ],
  ['poll([{fd=3, events=POLLIN}], 1, 0) = 0', 'aarch64', 'ppoll', '1'],
  ['openat(3, "a", O_PATH) = 4', 'arm', 'openat', 'arg2 == O_PATH || arg2 == O_PATH|O_LARGEFILE'],
];

for (const [line, arch, name, expression] of TRANSLATED) {
  test(`on ${arch}: ${line}`, (t) => {
    t.deepEqual(ruleOf(line, arch), [name, expression]);
  });
}

test('and back: the pair of registers of _llseek is one argument elsewhere', (t) => {
  const line = '_llseek(3, 0, [0], SEEK_END) = 0';
  t.deepEqual(ruleOf(line, 'aarch64', 'arm'), ['lseek', 'arg2 == SEEK_END']);
  t.deepEqual(ruleOf(line, 'arm', 'arm'), ['_llseek', 'arg4 == SEEK_END']);
});

test('C libraries for arm have times of two sizes, and each has its syscalls', (t) => {
  const rules = learned('futex(0x7f00, FUTEX_WAKE_PRIVATE, 1) = 0', 'arm');
  t.deepEqual([...rules.keys()], ['futex', 'futex_time64']);
  t.is(rules.get('futex_time64'), 'arg1 == FUTEX_WAKE_PRIVATE');
});

test('what an architecture has nothing for is said in its policy', (t) => {
  const run = parseStraceLog('arch_prctl(ARCH_SET_FS, 0x1) = 0\nclose(1) = 0', X86);
  const options = { dialect: 'minijail-c', source: 'a test' } as const;
  const { text, missing } = proposePolicy(run, {
    ...options,
    architecture: architectureOf('arm64'),
  });
  t.deepEqual(missing, ['arch_prctl']);
  t.regex(text, /^# aarch64 has no counterpart of arch_prctl\.$/m);
});

test('a source cannot bring lines into the policy', (t) => {
  const run = parseStraceLog('close(1) = 0', X86);
  const { text } = proposePolicy(run, {
    architecture: X86,
    dialect: 'minijail-c',
    source: 'a\nexecve: 1\n#\\',
  });
  t.notRegex(text, /^execve/m);
  t.notRegex(text, /\\/);
});

test('many sets of values become masks, for each value of what has the fewest', (t) => {
  const flags = [
    'MAP_PRIVATE',
    'MAP_SHARED',
    'MAP_FIXED',
    'MAP_STACK',
    'MAP_LOCKED',
    'MAP_POPULATE',
  ];
  const lines = flags.flatMap((flag) => [
    `mmap(NULL, 1, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|${flag}, 3, 0) = 0x1000`,
    `mmap(NULL, 1, PROT_READ|PROT_EXEC, MAP_PRIVATE|${flag === 'MAP_PRIVATE' ? 'MAP_FIXED' : flag}, 3, 0) = 0x1000`,
  ]);
  const [writable = '', executable = ''] =
    learned(lines.join('\n')).get('mmap')?.split(' || ') ?? [];
  t.regex(writable, /^arg2 == PROT_READ\|PROT_WRITE && arg3 in MAP_ANONYMOUS\|MAP_PRIVATE\|/);
  t.regex(executable, /^arg2 == PROT_READ\|PROT_EXEC && arg3 in MAP_PRIVATE\|/);
  t.notRegex(executable, /MAP_ANONYMOUS/);
});

test('the audit log gives syscalls without arguments, of one architecture', (t) => {
  const log = [
    'audit: type=1326 audit(1700000000.1:2): auid=0 pid=7 comm="a" sig=0 arch=c000003e syscall=28 compat=0 code=0x7ffc0000',
    'type=SECCOMP msg=audit(1700000000.2:3): arch=c000003e syscall=0 compat=0 ip=0x7f code=0x7ffc0000',
    'type=SECCOMP msg=audit(1700000000.2:3): arch=40000028 syscall=3 compat=0 ip=0x7f code=0x7ffc0000',
    'type=SYSCALL msg=audit(1700000000.2:3): arch=c000003e syscall=59 success=yes',
  ].join('\n');
  const run = parseAuditLog(log, 'x86_64');
  t.deepEqual(
    run.observations.map(({ name }) => name),
    ['madvise', 'read'],
  );
  t.regex(run.remarks.join('; '), /no arguments.*records of arm were not used/);
  t.throws(() => parseAuditLog(log, 'aarch64'), { message: /there are records of x86_64, arm/ });
});

/** Some calls with their arguments as strace prints them. */
const calls = fc.array(
  fc.oneof(
    fc.record({
      name: fc.constant('madvise'),
      place: fc.constant(2),
      before: fc.constant('0x7f0000000000, 4096, '),
      text: fc.constantFrom(
        'MADV_DONTNEED',
        'MADV_REMOVE',
        'MADV_FREE',
        'MADV_HUGEPAGE',
        '0x66 /* MADV_??? */',
      ),
    }),
    fc.record({
      name: fc.constant('openat'),
      place: fc.constant(2),
      before: fc.constant('AT_FDCWD, "", '),
      text: fc
        .subarray(['O_RDWR', 'O_CLOEXEC', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_APPEND'], {
          minLength: 1,
        })
        .map((flags) => flags.join('|')),
    }),
  ),
  { minLength: 1, maxLength: 40 },
);

test('a learned policy allows all that was seen, on every architecture, in both dialects', (t) => {
  fc.assert(
    fc.property(calls, fc.constantFrom('minijail-c', 'minijail-python'), (seen, dialect) => {
      const log = seen.map(({ name, before, text }) => `${name}(${before}${text}) = 0`).join('\n');
      const run = parseStraceLog(log, X86);
      for (const arch of ARCHITECTURE_NAMES) {
        const architecture = architectureOf(arch);
        const { text } = proposePolicy(run, { architecture, dialect, source: 'a test' });
        const { policy } = parsePolicy({ text, file: 'learned', dialect, architecture });
        const evaluator = new PolicyEvaluator(policy);
        const actionFor = (name: string, place: number, value: bigint) => {
          const args = [0n, 0n, 0n, 0n, 0n, 0n];
          args[place] = value;
          const number = architecture.syscalls.get(name) ?? -1;
          return evaluator.actionOf(seccompData(architecture.auditArch, number, args)).kind;
        };
        for (const { name, place, text: argument } of seen) {
          const value = argumentValue(argument.split(' ')[0] ?? '', architecture.constants) ?? 0n;
          t.is(actionFor(name, place, value), 'allow', `${arch} ${name} ${argument}\n${text}`);
          // What nobody asked for stays closed.
          t.is(actionFor(name, place, 0x40000000n), 'kill-thread');
        }
        t.is(actionFor('execve', 0, 0n), 'kill-thread');
      }
    }),
    { numRuns: 60 },
  );
});

test('calls that a filter did not allow: numbers become names, and other architectures get them too', (t) => {
  const call = (name: string, ...args: bigint[]) => ({
    auditArch: X86.auditArch,
    number: X86.syscalls.get(name) ?? -1,
    args,
  });
  const { observations, remarks } = observeRefused([
    call('madvise', 0x7f0000000000n, 4096n, 9n, 0n, 0n, 0n),
    call('madvise', 0x7f0000001000n, 4096n, 9n, 0n, 0n, 0n),
    call('mmap', 0n, 4096n, 3n, 0x22n, 0xffffffffn, 0n),
    call('fcntl', 5n, 3n, 0n, 0n, 0n, 0n),
    call('epoll_wait', 5n, 0n, 0n, 0n, 0n, 0n),
    { auditArch: 1, number: 1, args: [] },
    { auditArch: X86.auditArch, number: 9999, args: [] },
  ]);
  t.deepEqual(remarks, ['2 refused calls have no known name']);
  t.like(observations[0], { name: 'madvise', count: 2, architecture: 'x86_64' });
  const rulesOn = (arch: string) => {
    const run = { observations, remarks, architecture: undefined };
    const options = { dialect: 'minijail-python', source: 'a test' } as const;
    const { rules } = proposePolicy(run, { architecture: architectureOf(arch), ...options });
    return rules.map(({ name, expression }) => `${name}: ${expression}`);
  };
  t.deepEqual(rulesOn('x86_64'), [
    'epoll_wait: 1',
    'fcntl: arg1 == F_GETFL',
    'madvise: arg2 == MADV_REMOVE',
    'mmap: arg2 == PROT_READ|PROT_WRITE',
  ]);
  t.deepEqual(rulesOn('arm'), [
    'epoll_wait: 1',
    'fcntl64: arg1 == F_GETFL',
    'madvise: arg2 == MADV_REMOVE',
    'mmap2: arg2 == PROT_READ|PROT_WRITE',
  ]);
  t.true(rulesOn('aarch64').some((rule) => rule.startsWith('epoll_p')));
});
