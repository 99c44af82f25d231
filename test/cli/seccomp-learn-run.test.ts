import { spawnSync } from 'node:child_process';
import test from 'ava';
import { seccomp } from './seccomp-kit.js';

/** Why no program can be traced here, if so. */
function whyNoStrace(): string | undefined {
  const { error, status } = spawnSync('strace', ['-qq', '-o', '/dev/null', '--', 'true']);
  if (error !== undefined) return 'skipped: strace is not installed';
  return status === 0 ? undefined : 'skipped: ptrace is forbidden here';
}

const reason = whyNoStrace();
const onStrace = reason === undefined ? test : test.skip;
const ARM = ['--dialect', 'minijail-python', '--arch', 'arm'];

onStrace(`a command is run and its syscalls are learned${reason ?? ''}`, (t) => {
  const script = 'echo heard; exec cat /dev/null; ';
  const { status, stdout, stderr } = seccomp('learn', ...ARM, '--', 'sh', '-c', script);
  t.is(status, 0, stderr);
  // What the command writes does not come between the rules.
  t.regex(stderr, /^heard$/m);
  t.regex(stdout, /^# Learned from sh, for arm: /);
  t.notRegex(stdout, /heard/);
  t.regex(stdout, /^write: 1$/m);
  t.regex(stdout, /^mmap2: arg2 /m);
  t.regex(stdout, /^execve: 1$/m);
  t.notRegex(stdout, /^socket: /m);
});

onStrace(`a command that fails, or is not there, is told${reason ?? ''}`, (t) => {
  const failed = seccomp('learn', ...ARM, '--', 'sh', '-c', 'exit 7');
  t.is(failed.status, 0);
  t.regex(failed.stderr, /^halyard: sh ended with 7: /m);
  const missing = seccomp('learn', ...ARM, '--', '/nonexistent/program');
  t.is(missing.status, 3);
  t.is(missing.stdout, '');
  t.regex(missing.stderr, /^halyard: strace saw no syscall of \/nonexistent\/program/m);
});

test('without strace a live run says what to do, and exits with 3', (t) => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['dist/bin/halyard.cjs', 'seccomp', 'learn', ...ARM, '--', 'true'],
    { encoding: 'utf8', env: { PATH: '/nonexistent' } },
  );
  t.is(status, 3);
  t.regex(stderr, /^halyard: a live run needs strace, .*--strace\)\n$/);
});
