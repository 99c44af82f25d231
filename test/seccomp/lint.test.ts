import test from 'ava';
import type { ArchitectureName } from '../../src/seccomp/architecture.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import { formatFinding } from '../../src/seccomp/lint/lint-finding.js';
import { lintPolicy } from '../../src/seccomp/lint/lint-policy.js';
import { lintParity } from '../../src/seccomp/lint/parity.js';
import type { Dialect } from '../../src/seccomp/policy.js';
import { inputOf } from './language-kit.js';

const C = 'minijail-c';
const PYTHON = 'minijail-python';

function codes(dialect: Dialect, text: string, arch: ArchitectureName = 'x86_64') {
  return lintPolicy(inputOf(dialect, text, { arch })).map(
    ({ code, span }) => `${code} ${span.line}:${span.column}`,
  );
}

const FINDINGS: readonly (readonly [Dialect, string, readonly string[]])[] = [
  [C, 'read: 1\nwrite: arg0 == 1 || arg0 == 2\n', []],
  [C, 'read: arg0 == 1; return EPERM\n', ['conditional-return 1:1']],
  [PYTHON, 'read: arg0 == 1; return EPERM\n', ['conditional-return 1:7']],
  [PYTHON, '# c \\\nread: 1\n', ['comment-backslash 1:1', 'dialects-differ 2:7']],
  [C, '# c \\\nread: 1\n', ['comment-swallows-line 2:1', 'dialects-differ 2:7']],
  [C, 'read: arg0 == -1\n', ['sign-extended-constant 1:7']],
  [C, 'read: arg0 == 0xffffffff\n', []],
  [C, 'mmap: arg2 in 0xfffffffb\n', ['mask-kills-high-word 1:7']],
  [C, 'mmap: arg2 in ~4\n', []],
  [C, 'read: arg0 & 0\n', ['comparison-never-true 1:7']],
  [C, 'read: arg0 < 0\n', ['comparison-never-true 1:7']],
  [C, 'read: arg0 == 1 && arg0 == 2\n', ['clause-never-true 1:7']],
  [C, 'read: arg0 in 6 && arg0 & 9\n', ['clause-never-true 1:7']],
  [C, 'read: arg0 in 6 && arg0 & 4\n', []],
  [PYTHON, 'read: arg0 == 1 || arg0 == 1\n', ['clause-redundant 1:20']],
  [PYTHON, 'read: arg0 == 4 || arg0 in 6\n', ['clause-redundant 1:7']],
  [PYTHON, 'read: arg0 == 8 || arg0 in 6\n', []],
  [PYTHON, 'read: arg0 >= 0\n', ['comparison-always-true 1:7']],
  [PYTHON, 'read: arg1 > 5 && arg1 > 3\n', ['comparison-redundant 1:19']],
  [PYTHON, 'read: arg1 > 3 && arg1 > 5\n', ['comparison-redundant 1:7']],
  [PYTHON, 'read: arg0==1\n', ['rejected-by-other-dialect 1:7']],
  [PYTHON, 'read: 1 # ok\n', ['rejected-by-other-dialect 1:7']],
  [C, 'read: arg0 == +1\n', ['rejected-by-other-dialect 1:15']],
  [C, 'read: returnfoo 5\n', ['return-spelling 1:7', 'rejected-by-other-dialect 1:7']],
  [C, 'raed: 1\n', ['unknown-syscall 1:1', 'rejected-by-other-dialect 1:1']],
  [C, 'write: 1\nread: 1 \\\n', ['rule-dropped-at-end 2:1']],
];

for (const [dialect, text, expected] of FINDINGS) {
  test(`${dialect}: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(codes(dialect, text), expected);
  });
}

test('a filter is shadowed by an earlier one, or by several together', (t) => {
  const shadowed = (text: string) =>
    codes(PYTHON, text).filter((code) => code.startsWith('filter-shadowed'));
  t.deepEqual(shadowed('read: { arg0 in 7, arg0 == 3; return EPERM, kill }\n'), [
    'filter-shadowed 1:20',
  ]);
  t.deepEqual(shadowed('read: { arg0 < 5, arg0 >= 5; trap, arg1 == 1; log, kill }\n'), [
    'filter-shadowed 1:36',
    'filter-shadowed 1:52',
  ]);
  t.deepEqual(shadowed('read: { arg0 < 5, arg0 > 5; trap, arg1 == 1; log, kill }\n'), []);
  t.deepEqual(shadowed('read: { arg0 in 7, arg0 == 8; return EPERM, kill }\n'), []);
});

test('on arm a word is 32 bits wide: no warning of what it cannot be', (t) => {
  t.deepEqual(codes(C, 'read: arg0 == -1\n', 'arm'), []);
  t.deepEqual(codes(C, 'read: arg0 <= 0xffffffff\n', 'arm'), ['comparison-always-true 1:7']);
});

test('on arm the calls with 64-bit time belong to those without', (t) => {
  t.deepEqual(codes(C, 'futex: 1\n', 'arm'), ['time64-missing 1:1']);
  t.deepEqual(codes(C, 'futex: 1\nfutex_time64: 1\n', 'arm'), []);
  t.deepEqual(codes(C, 'futex: 1\n'), []);
});

test('a finding is one line, and its remedy another', (t) => {
  const [finding] = lintPolicy(inputOf(C, 'read: arg0 & 0\n'));
  t.is(
    finding && formatFinding(finding),
    "p.policy:1:7: warning: no value of arg0 fulfils this comparison [comparison-never-true]\n    '& 0' tests no bit; '== 0' or 'in 0' may be meant",
  );
});

function parity(text: string, arch: ArchitectureName, otherText: string, other: ArchitectureName) {
  const [left, right] = [
    parsePolicy(inputOf(PYTHON, text, { arch })).policy,
    parsePolicy(inputOf(PYTHON, otherText, { arch: other })).policy,
  ];
  return lintParity(left, right).map(({ message }) => message);
}

test('what one architecture allows and the other does not is found', (t) => {
  t.deepEqual(parity('madvise: 1\nread: 1\n', 'x86_64', 'read: 1\n', 'arm'), [
    'x86_64 lets madvise through, arm does not',
  ]);
  t.deepEqual(parity('mmap: 1\n', 'x86_64', 'read: 1\n', 'arm'), [
    'x86_64 lets mmap through, arm has no rule that allows mmap2, which stands for it',
  ]);
});

test('syscalls stand for each other across architectures', (t) => {
  for (const [name, stand] of [
    ['mmap', 'mmap2'],
    ['recvfrom', 'recv'],
    ['open', 'openat'],
    ['stat', 'fstatat64'],
    ['newfstatat', 'fstatat64'],
    ['ftruncate', 'ftruncate64'],
    ['select', '_newselect'],
    ['futex', 'futex_time64'],
  ] as const) {
    t.deepEqual(parity(`${name}: 1\n`, 'x86_64', `${stand}: 1\n`, 'arm'), [], name);
  }
});

test('a refusal is no parity finding, and neither is what the other architecture lacks', (t) => {
  t.deepEqual(parity('madvise: return EPERM\n', 'x86_64', 'read: 1\n', 'arm'), []);
  t.deepEqual(parity('memfd_secret: 1\n', 'x86_64', 'read: 1\n', 'arm'), []);
  t.deepEqual(parity('madvise: 1\n', 'x86_64', 'madvise: return EPERM\n', 'arm'), [
    'x86_64 lets madvise through, arm does not',
  ]);
});
