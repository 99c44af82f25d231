import test from 'ava';
import { defaultActionNamed } from '../../src/seccomp/action-words.js';
import { architectureOf } from '../../src/seccomp/architecture.js';
import { formatDiagnostic, PolicyError } from '../../src/seccomp/language/diagnostic.js';
import { analysePolicy, parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import { faultsOf, inputOf, warningsOf } from './language-kit.js';

const C_FAULTS: readonly (readonly [string, string])[] = [
  ['read: arg0 1\n', 'incomplete-atom 1:7 arg0 1'],
  ['read: arg0 == 1 2\n', 'extra-token 1:17 2'],
  ['read: foo == 1\n', 'invalid-argument 1:7 foo'],
  ['read: argx == 1\n', 'invalid-argument 1:7 argx'],
  ['read: arg0 = 1\n', 'invalid-operator 1:12 ='],
  ['read: arg0 == NOPE\n', 'invalid-constant 1:15 NOPE'],
  ['read: arg0 == 99999999999999999999\n', 'constant-overflow 1:15 99999999999999999999'],
  ['read: arg0 == -9223372036854775809\n', 'constant-underflow 1:15 -9223372036854775809'],
  ['read: arg0 == (1\n', 'unclosed-parenthesis 1:15 ('],
  ['read: arg0 == ()\n', 'empty-constant 1:16 )'],
  ['read: return -1\n', 'invalid-errno 1:14 -1'],
  ['read:\n', 'empty-rule 1:6 '],
  ['read 1\n', 'missing-colon 1:1 read 1'],
  ['raed: 1\n', 'unknown-syscall 1:1 raed'],
  ['read: 1\nread: 1\n', 'duplicate-syscall 2:1 read'],
  ['@foo\n', 'invalid-statement 1:1 @foo'],
  ['@include x\n', 'invalid-path 1:10 x'],
  ['@include ./x\n', 'include-unreadable 1:10 ./x'],
  ['read: arg0 == 1; foo\n', 'invalid-return 1:18 foo'],
  ['read: arg0 == 1 || || arg1 == 2\n', 'empty-atom 1:19  '],
  ['read: arg0 == 1 && \\\n  arg1 == NOPE\n', 'invalid-constant 2:11 NOPE'],
];

const PYTHON_FAULTS: readonly (readonly [string, string])[] = [
  ['read: ^\n', 'invalid-token 1:7 ^'],
  ['read: arg0 == 1 ||\n', 'invalid-argument 1:19 '],
  ['read: arg0 == (1 | (2)\n', 'unclosed-parenthesis 1:15 ('],
  ['read: arg9 == 1\n', 'invalid-argument 1:7 arg9'],
  ['read: arg0 = 1\n', 'invalid-operator 1:12 ='],
  ['read: arg0 == ~~1\n', 'double-complement 1:16 ~'],
  ['read: arg0 == NOPE\n', 'invalid-constant 1:15 NOPE'],
  ['read: return\n', 'invalid-return 1:13 '],
  ['read: 2\n', 'invalid-action 1:7 2'],
  ['read:\n', 'missing-filter 1:6 '],
  ['read\n', 'missing-colon 1:5 '],
  ['{read, write: 1\n', 'unclosed-brace 1:1 {'],
  ['read: {allow\n', 'unclosed-brace 1:7 {'],
  ['read[arch=]: 1\n', 'invalid-metadata 1:11 ]'],
  ['read[arch=arm: 1\n', 'unclosed-bracket 1:5 ['],
  ['read[arch=arm;arch=arm]: 1\n', 'duplicate-metadata 1:15 arch'],
  ['raed: 1\n', 'unknown-syscall 1:1 raed'],
  ['x@y: 1\n', 'unknown-group 1:1 x@y'],
  ['@include x\n', 'invalid-path 1:10 x'],
  ['@include ./x\n', 'include-unreadable 1:10 ./x'],
  ['@frequency ./x\n', 'frequency-unreadable 1:12 ./x'],
  ['@default allow\n', 'permissive-default-action 1:10 allow'],
  ['@default\n', 'invalid-default-action 1:9 '],
  ['@denylist\n', 'denylist-mismatch 1:1 @denylist'],
  ['read: 1 1\n', 'extra-token 1:9 1'],
  ['read: 1\nread: 1\n', 'duplicate-unconditional 2:5 :'],
  ['read: arg0 == \\\n  NOPE\n', 'invalid-constant 2:3 NOPE'],
];

for (const [text, fault] of C_FAULTS) {
  test(`C: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(faultsOf('minijail-c', text), [fault]);
  });
}

for (const [text, fault] of PYTHON_FAULTS) {
  test(`Python: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(faultsOf('minijail-python', text), [fault]);
  });
}

const WARNINGS: readonly (readonly ['c' | 'python', string, string])[] = [
  ['c', 'read: arg7 == 1\n', 'argument-unloadable 1:7 arg7'],
  ['python', 'read: arg6 == 1\n', 'argument-unloadable 1:7 arg6'],
  ['c', 'read: arg-1 == 1\n', 'argument-wraps 1:7 arg-1'],
  ['c', 'read: arg4294967297 == 1\n', 'argument-wraps 1:7 arg4294967297'],
  ['c', '# c \\\nread: 1\n', 'comment-swallows-line 2:1 read: 1'],
  ['c', 'read: ;\n', 'empty-expression 1:7 ;'],
  ['c', 'read: return 65536\n', 'errno-truncated 1:14 65536'],
  ['python', 'read: return 65536\n', 'errno-truncated 1:14 65536'],
  ['python', 'read: { arg0 == 1; return EPERM, allow }\n', 'final-allow-drops-filters 1:5 :'],
  ['c', '@frequency ./x\n', 'frequency-ignored 1:1 @frequency ./x'],
  ['c', 'read: return EPERM junk\n', 'ignored-text 1:20 junk'],
  ['c', 'read: arg0 == 1; return 1; return 2\n', 'ignored-text 1:27  return 2'],
  ['python', 'write[arch=arm]: 1 junk\n', 'ignored-text 1:20 junk'],
  ['c', 'read: 1\0 x\n', 'nul-byte 1:8 \0'],
  ['c', 'read: returnfoo\n', 'return-spelling 1:7 returnfoo'],
  ['c', 'write: 1\nread: 1 \\\n', 'rule-dropped-at-end 2:1 read: 1 \\'],
  ['python', 'write: 1\nread: 1 \\', 'rule-dropped-at-end 2:1 read'],
];

for (const [dialect, text, warning] of WARNINGS) {
  test(`${dialect} accepts ${JSON.stringify(text)} and warns`, (t) => {
    t.deepEqual(faultsOf(`minijail-${dialect}`, text), []);
    t.deepEqual(warningsOf(`minijail-${dialect}`, text), [warning]);
  });
}

test('all faults are reported at once, those of included files too', (t) => {
  const text = 'raed: arg9 == 1\n@include ./inc\nread: arg0 == NOPE\n';
  const files = { inc: 'wriet: 1\nclose: 2 2\n' };
  t.deepEqual(faultsOf('minijail-python', text, { files }), [
    'unknown-syscall 1:1 raed',
    'unknown-syscall 1:1 wriet',
    'invalid-action 2:8 2',
    'invalid-constant 3:15 NOPE',
  ]);
  t.deepEqual(faultsOf('minijail-c', text, { files }), [
    'unknown-syscall 1:1 raed',
    'unknown-syscall 1:1 wriet',
    'incomplete-atom 2:8 2 2',
    'invalid-constant 3:15 NOPE',
  ]);
});

test('a message has the place, the line, a caret under the token, and what would be right', (t) => {
  const text = '\tmadvise: arg2 == MADV_DONTNED\n';
  const [fault] = analysePolicy(inputOf('minijail-c', text)).faults;
  t.is(
    fault && formatDiagnostic(fault),
    [
      "p.policy:1:19: error: 'MADV_DONTNED' is no constant [invalid-constant]",
      '    \tmadvise: arg2 == MADV_DONTNED',
      '    \t                 ^^^^^^^^^^^^',
      "    did you mean 'MADV_DONTNEED'?",
    ].join('\n'),
  );
});

test('a rejected policy is an error that carries faults and warnings', (t) => {
  const error = t.throws(() => parsePolicy(inputOf('minijail-c', 'raed: 1\nread: 1 \\\n')), {
    instanceOf: PolicyError,
    code: 'POLICY_REJECTED',
  });
  t.is(error?.faults.length, 1);
  t.is(error?.warnings.length, 1);
  t.regex(error?.message ?? '', /did you mean 'read'\?/);
});

test('the default action of the C dialect is one of four', (t) => {
  const input = {
    ...inputOf('minijail-c', 'read: 1\n'),
    defaultAction: { kind: 'allow' } as const,
  };
  t.deepEqual(
    analysePolicy(input).faults.map(({ code }) => code),
    ['invalid-default-action'],
  );
});

test('a frequency file weighs syscalls, and its faults reject the policy', (t) => {
  const text = '@frequency ./f\nread: 1\n';
  const files = { f: 'read: 10\nread: 0x5\n{write}: 1\n' };
  t.deepEqual(faultsOf('minijail-python', text, { files }), ['invalid-syscall-name 3:1 {']);
  const good = { files: { f: 'read: 10\nread: 0x5 # often\nwrite[arch=arm]: 7\n' } };
  const { frequencies } = parsePolicy(inputOf('minijail-python', text, good)).policy;
  t.deepEqual([...frequencies], [[0, 15]]);
});

test('groups come from the options', (t) => {
  const syscallGroups = new Map([['io', new Map([['basic', ['read', 'write']]])]]);
  const input = inputOf('minijail-python', 'basic@io: 1\n', { options: { syscallGroups } });
  t.deepEqual([...parsePolicy(input).policy.syscalls.keys()], [0, 1]);
  t.deepEqual(faultsOf('minijail-python', 'basi@io: 1\n', { options: { syscallGroups } }), [
    'unknown-group 1:1 basi@io',
  ]);
});

test('a policy that includes itself is refused, and does not run for ever', (t) => {
  const text = '@include ./p.policy\n@include ./p.policy\n';
  t.deepEqual(faultsOf('minijail-python', text, { files: { 'p.policy': text } }), [
    'include-too-deep 1:10 ./p.policy',
    'include-too-deep 2:10 ./p.policy',
  ]);
});

test('two names of one syscall: the C dialect takes the first, the Python dialect refuses', (t) => {
  const text = 'ARM_cacheflush: 1\ncacheflush: return 5\n';
  const input = inputOf('minijail-c', text, { arch: 'arm' });
  const number = architectureOf('arm').syscalls.get('cacheflush') ?? -1;
  t.is(parsePolicy(input).policy.syscalls.get(number)?.name, 'ARM_cacheflush');
  t.deepEqual(faultsOf('minijail-python', text, { arch: 'arm' }), [
    'same-syscall-number 2:1 cacheflush',
  ]);
});

test('a default action of the command line may be any', (t) => {
  const { constants } = architectureOf('x86_64');
  const parse = (text: string) => defaultActionNamed(text, 'minijail-python', constants);
  t.deepEqual(parse('trap'), { kind: 'trap' });
  t.deepEqual(parse('allow'), { kind: 'allow' });
  t.deepEqual(parse('kill'), { kind: 'kill-process' });
  t.deepEqual(defaultActionNamed('kill', 'minijail-c', constants), { kind: 'kill-thread' });
  t.deepEqual(parse('return EPERM'), { kind: 'errno', errno: 1 });
  for (const wrong of ['', 'kil', 'trap trap', 'trap\ntrap', 'return', '2']) {
    t.is(parse(wrong), undefined, wrong);
  }
});

test('includes of the Python dialect are relative to the including file, and normalised', (t) => {
  const paths: string[] = [];
  const files: Readonly<Record<string, string>> = {
    'a/b/one.policy': '@include ./../two.policy\n@include /abs/./x/../three.policy\n',
    'a/two.policy': 'read: 1\n',
    '/abs/three.policy': 'write: 1\n',
  };
  const input = {
    ...inputOf('minijail-python', '@include ./b//one.policy\n'),
    file: 'a/main.policy',
    include: (path: string) => {
      paths.push(path);
      return files[path];
    },
  };
  t.is(parsePolicy(input).policy.syscalls.size, 2);
  t.deepEqual(paths, ['a/b/one.policy', 'a/two.policy', '/abs/three.policy']);
});
