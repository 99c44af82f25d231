import test from 'ava';
import {
  actionOf,
  architectureOf,
  compilePolicy,
  explain,
  formatAction,
  Interpreter,
  parsePolicy,
  seccompData,
} from '../../src/seccomp/index.js';

test('what halyard/seccomp exports parses, compiles, runs and explains a policy', (t) => {
  const architecture = architectureOf('arm');
  const { policy } = parsePolicy({
    text: 'read: 1\nmadvise: arg2 == MADV_DONTNEED\n',
    file: 'device.policy',
    dialect: 'minijail-c',
    architecture,
  });
  const program = new Interpreter(compilePolicy(policy));
  const madvise = architecture.syscalls.get('madvise') ?? -1;
  const verdict = (advice: bigint) =>
    formatAction(
      actionOf(
        program.run(seccompData(architecture.auditArch, madvise, [0n, 0n, advice, 0n, 0n, 0n])),
      ),
    );
  t.deepEqual([4n, 9n].map(verdict), ['ALLOW', 'KILL_THREAD']);
  const { remedy } = explain(policy, madvise, [0n, 0n, 9n, 0n, 0n, 0n]);
  t.regex(
    JSON.stringify(remedy, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
    /MADV_REMOVE/,
  );
});
