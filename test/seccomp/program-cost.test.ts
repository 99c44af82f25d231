import test from 'ava';
import { architectureOf } from '../../src/seccomp/architecture.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import { programCost } from '../../src/seccomp/program-cost.js';
import { seccompData } from '../../src/seccomp/seccomp-data.js';

const X86 = architectureOf('x86_64');

test('the cost is that of the allowed calls, weighted by the frequency file', (t) => {
  const { policy } = parsePolicy({
    text: '@frequency ./often\nread: 1\nmadvise: arg2 == 4 || arg2 == 9\nopenat: return EPERM\ngetpid: 1\n',
    file: 'a.policy',
    dialect: 'minijail-python',
    architecture: X86,
    include: () => 'read: 30\nmadvise: 10\n',
  });
  const program = compilePolicy(policy);
  const interpreter = new Interpreter(program);
  const executed = (name: string, args: readonly bigint[]) => {
    interpreter.run(seccompData(X86.auditArch, X86.syscalls.get(name) ?? -1, args));
    return interpreter.executed;
  };
  const read = executed('read', []);
  const advised = [executed('madvise', [0n, 0n, 4n]), executed('madvise', [0n, 0n, 9n])] as const;
  const madvise = (advised[0] + advised[1]) / 2;
  // Nobody counted it: once.
  const getpid = executed('getpid', []);
  const cost = programCost(policy, program);
  t.is(cost.allowed, 3);
  t.is(cost.weighted, (30 * read + 10 * madvise + getpid) / 41);
  t.is(cost.plain, (read + madvise + getpid) / 3);
  t.is(cost.most, Math.max(read, getpid, ...advised));
});

test('a policy that allows nothing costs nothing', (t) => {
  const { policy } = parsePolicy({
    text: 'openat: return EPERM\n',
    file: 'a.policy',
    dialect: 'minijail-python',
    architecture: X86,
  });
  const cost = programCost(policy, compilePolicy(policy));
  t.deepEqual(cost, { allowed: 0, weighted: 0, plain: 0, most: 0 });
});
