import test from 'ava';
import { type SyscallUse, syscall } from '../../src/hal/contract/footprint.js';
import { architectureOf } from '../../src/seccomp/architecture.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Dialect } from '../../src/seccomp/policy.js';
import { madeSyscalls } from '../../src/verdict/made-syscalls.js';
import { SyscallJudge, type SyscallVerdict } from '../../src/verdict/syscall-verdict.js';

function judged(
  text: string,
  use: SyscallUse,
  dialect: Dialect = 'minijail-python',
): SyscallVerdict {
  const architecture = architectureOf('x86_64');
  const file = 'jails/x.policy';
  const { policy } = parsePolicy({ text, file, dialect, architecture });
  const [made] = madeSyscalls([use], {}, architecture);
  if (made === undefined) throw new Error('nothing is made');
  return new SyscallJudge(policy, new Map([[file, text]])).judge(made);
}

const remove = syscall<never>('madvise', { 1: 4096, 2: 'MADV_REMOVE' });

test('allowed: whatever is not known', (t) => {
  for (const rule of ['allow', 'arg2 == MADV_REMOVE', 'log', 'arg0 == 1 || arg0 != 1']) {
    t.deepEqual(judged(`madvise: ${rule}\n`, remove), {
      kind: 'allowed',
      isSurvived: true,
      why: '',
    });
  }
});

const REFUSALS: readonly (readonly [policy: string, why: RegExp])[] = [
  ['read: allow', /^the policy has no rule for madvise; its thread is killed$/],
  ['madvise: arg2 == MADV_DONTNEED', /^x\.policy:1 allows MADV_DONTNEED only; its thread/],
  [
    '\nmadvise: arg2 == MADV_DONTNEED && arg0 == 7\nmadvise: arg2 == 4 || arg2 == 10',
    /^x\.policy:2 allows MADV_DONTNEED, x\.policy:3 allows 4, 10 only;/,
  ],
  ['madvise: arg2 in 0x6', /^x\.policy:1 wants arg2 in 0x6, and it is 0x9;/],
  ['madvise: return EACCES', /^x\.policy:1 refuses it; it fails with EACCES$/],
  [
    'madvise: arg2 == MADV_REMOVE; return 1\nread: 1',
    /^x\.policy:1 refuses it; it fails with EPERM$/,
  ],
  ['madvise: trap', /^x\.policy:1 refuses it; its thread gets SIGSYS$/],
  ['madvise: kill-process', /the process is killed$/],
  ['madvise: user-notify', /it is left to the supervisor$/],
  ['madvise: trace', /fails with ENOSYS unless/],
  ['madvise: arg0 > 5 && arg0 in 3', /^none of the rules for madvise can hold;/],
  ['@default kill-process\nread: 1', /no rule for madvise; the process is killed$/],
];

for (const [policy, why] of REFUSALS) {
  test(`refused: ${JSON.stringify(policy)}`, (t) => {
    const verdict = judged(`${policy}\n`, remove);
    t.is(verdict.kind, 'refused');
    t.regex(verdict.why, why);
    t.is(verdict.isSurvived, / fails with E(PERM|ACCES)$/.test(verdict.why));
  });
}

test('the C dialect: an errno where the expression fails', (t) => {
  const verdict = judged('madvise: arg2 == 4; return EPERM\n', remove, 'minijail-c');
  t.is(verdict.kind, 'refused');
  t.regex(verdict.why, /^x\.policy:1 allows 4 only; it fails with EPERM$/);
});

test('depends on an argument that nobody knows, and says on which values', (t) => {
  const { kind, why } = judged('madvise: arg2 == MADV_REMOVE && arg0 >= 0x1000\n', remove);
  t.is(kind, 'depends');
  t.is(
    why,
    'on arg0, which nobody knows: if arg0 >= 0x1000, it is done (x.policy:1); else its thread is killed',
  );
});

test('depends on the C library, or on whether it is made', (t) => {
  const fstat = syscall<never>('newfstatat', {}, { instead: [syscall('fstat')] });
  const { kind, why } = judged('fstat: allow\n', fstat);
  t.is(kind, 'depends');
  t.regex(why, /^on the C library: newfstatat\(…\) is refused \(.*\); fstat\(…\) is allowed$/);
  t.is(judged('fstat: 1\nnewfstatat: 1\n', fstat).kind, 'allowed');
  t.is(judged('read: 1\n', fstat).kind, 'refused');
  const maybe = judged('read: 1\n', { ...remove, times: 'optional' });
  t.is(maybe.kind, 'depends');
  t.regex(maybe.why, /^it is not always made, and if it is: the policy has no rule for madvise/);
});
