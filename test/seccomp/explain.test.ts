import test from 'ava';
import fc from 'fast-check';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import { explain, explainData } from '../../src/seccomp/explain/explain.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Dialect, Policy } from '../../src/seccomp/policy.js';
import { arbitraryPolicy } from './arbitrary-policy.js';
import { policyEdges } from './edges.js';

function parse(text: string, dialect: Dialect = 'minijail-python', arch: ArchitectureName = 'arm') {
  return parsePolicy({ text, file: 'balloon.policy', dialect, architecture: architectureOf(arch) })
    .policy;
}

function call(policy: Policy, name: string, ...args: (bigint | number)[]) {
  const number = policy.architecture.syscalls.get(name) as number;
  return explain(policy, number, args.map(BigInt));
}

test('the refusal of the original: the line, the atom, and what to add', (t) => {
  const text = 'close: 1\nread: 1\nmadvise: arg2 == MADV_DONTNEED\n';
  for (const arch of ['x86_64', 'aarch64', 'arm'] as const) {
    for (const dialect of ['minijail-c', 'minijail-python'] as const) {
      const policy = parse(text, dialect, arch);
      const found = call(policy, 'madvise', 0x7000, 4096, 9);
      t.is(
        found.text,
        [
          'madvise(0x7000, 0x1000, MADV_REMOVE): KILL_THREAD',
          'balloon.policy:3: none of the clauses for madvise holds',
          '  line 3 has `arg2 == MADV_DONTNEED`, arg2 is 9 (MADV_REMOVE)',
          'to allow it: add `|| arg2 == MADV_REMOVE` to line 3 of balloon.policy',
          '',
        ].join('\n'),
      );
      const mended = parse(
        text.replace('DONTNEED', `DONTNEED ${found.remedy?.insert}`),
        dialect,
        arch,
      );
      t.is(call(mended, 'madvise', 0x7000, 4096, 9).judgement.action.kind, 'allow');
    }
  }
});

test('an allowed call names the clause that held', (t) => {
  const found = call(
    parse('madvise: arg2 == 4 || arg2 == 9 && arg1 >= 4096\n'),
    'madvise',
    0,
    8192,
    9,
  );
  t.is(found.where, 'balloon.policy:1');
  t.is(found.clause, 'arg2 == MADV_REMOVE && arg1 >= 0x1000');
  t.is(found.remedy, undefined);
  t.is(found.failed.length, 1);
});

const REMEDIES: [string, Dialect, string, (bigint | number)[], string][] = [
  ['read: 1\n', 'minijail-c', 'madvise', [0, 0, 9], 'add a line `madvise: arg2 == MADV_REMOVE`'],
  ['read: 1\n', 'minijail-c', 'getpid', [], 'add a line `getpid: 1`'],
  [
    'mmap2: arg2 in ~PROT_EXEC\n',
    'minijail-python',
    'mmap2',
    [0, 0, 7],
    'add `|| arg2 == PROT_READ|PROT_WRITE|PROT_EXEC` to line 1 of balloon.policy',
  ],
  [
    'openat: return ENOENT\n',
    'minijail-c',
    'openat',
    [],
    'change line 1 of balloon.policy to `openat: 1`',
  ],
  [
    'prctl: return EPERM\n',
    'minijail-c',
    'prctl',
    [15],
    'change line 1 of balloon.policy to `prctl: arg0 == PR_SET_NAME; return 1`',
  ],
  [
    'prctl: return EPERM\n',
    'minijail-python',
    'prctl',
    [15],
    'add a line `prctl: arg0 == PR_SET_NAME` before line 1 of balloon.policy',
  ],
  [
    'read: arg0 == 3 && arg2 < 100 || arg0 == 4 && arg2 < 10\n',
    'minijail-python',
    'read',
    [4, 0, 11],
    'add `|| arg0 == 4 && arg2 == 0xb` to line 1 of balloon.policy',
  ],
  [
    'read: {arg0 == 3; return EPERM, arg0 == 4}\n',
    'minijail-python',
    'read',
    [3],
    'add a line `read: arg0 == 3` before line 1 of balloon.policy',
  ],
];

test('remedies: the smallest change that allows the call', (t) => {
  for (const [text, dialect, name, args, expected] of REMEDIES) {
    const { remedy } = call(parse(text, dialect), name, ...args);
    t.is(remedy?.text, expected, text);
  }
});

test('what has no remedy in the policy gets none', (t) => {
  const policy = parse('read: 1\n');
  t.is(explain(policy, 5000, []).remedy, undefined);
  const foreign = new Uint32Array(16);
  foreign[1] = 0xc000003e;
  const found = explainData(policy, foreign);
  t.is(found.remedy, undefined);
  t.regex(found.text, /KILL_THREAD\nit is a syscall of another architecture/);
});

test('each remedy allows the call, and takes nothing from what was allowed', (t) => {
  let remedies = 0;
  fc.assert(
    fc.property(arbitraryPolicy, (policy) => {
      const evaluator = new PolicyEvaluator(policy);
      const edges = [...policyEdges(policy)].filter((_, index) => index % 499 === 0);
      for (const data of edges) {
        const { remedy, judgement } = explainData(policy, data);
        t.deepEqual(judgement.action, evaluator.actionOf(data));
        if (remedy === undefined) continue;
        remedies++;
        const changed = new PolicyEvaluator(remedy.policy);
        t.is(changed.actionOf(data).kind, 'allow');
        for (const other of edges) {
          if (evaluator.actionOf(other).kind !== 'allow') continue;
          if (changed.actionOf(other).kind !== 'allow') throw new Error(remedy.text);
        }
        if (remedies > 400) return;
      }
    }),
    { numRuns: 15, includeErrorInReport: true },
  );
  t.log(`${remedies} remedies`);
  t.true(remedies > 50);
});
