import { readdirSync } from 'node:fs';
import test from 'ava';
import { folderWith, seccomp } from './seccomp-kit.js';

const DATA = 'test/seccomp/data';

const CASE = {
  id: 'a',
  arch: 'x86_64',
  dialect: 'minijail-c',
  policy: 'read: 1',
  syscall: 'read',
  expect: 'ALLOW',
};

const fileOf = (...cases: readonly unknown[]) => JSON.stringify({ cases });

test('the policy tests of this repository pass', (t) => {
  const files = readdirSync(DATA)
    .filter((name) => /\.(json|yaml)$/.test(name))
    .map((name) => `${DATA}/${name}`);
  t.true(files.length >= 3);
  const { status, stdout, stderr } = seccomp('test', ...files);
  t.is(stderr, '');
  t.regex(stdout, /^[6-9]\d passed, 0 failed\n$/);
  t.is(status, 0);
});

test('a case that fails says where it stands, what came, and why; the last line counts', (t) => {
  const path = folderWith(t, {
    'a.json': `{"cases": [\n${JSON.stringify(CASE)},\n  ${JSON.stringify({ ...CASE, id: 'b', syscall: 'write' })}]}`,
  });
  const { status, stdout } = seccomp('test', path('a.json'));
  t.is(status, 1);
  t.is(
    stdout,
    `FAILED  ${path('a.json')}:3:3: b: expected ALLOW, got KILL_THREAD\n` +
      '        write(): KILL_THREAD\n' +
      '        no rule names it\n' +
      '        to allow it: add a line `write: 1`\n' +
      '1 passed, 1 failed\n',
  );
});

test('with --json there is one object a case, with the verdict and the instructions executed', (t) => {
  const path = folderWith(t, {
    'a.json': fileOf(
      CASE,
      { ...CASE, id: 'b', expect: 'TRAP' },
      { ...CASE, id: 'c', policy: 'reed: 1', expect: 'error' },
      { ...CASE, id: 'd', policy: 'reed: 1' },
      { ...CASE, id: 'e', expect: 'error', syscall: undefined },
      { ...CASE, id: 'f', expect: 'error' },
    ),
  });
  const { status, stdout, stderr } = seccomp('test', path('a.json'), '--json');
  t.is(status, 1);
  t.is(stderr, '2 passed, 4 failed\n');
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.like(lines[0], { id: 'a', verdict: 'ALLOW', expected: 'ALLOW', passed: true });
  // ld arch, jeq, ld nr, jeq, ret: no program that asks for both is shorter.
  t.is(lines[0]?.['instructions'], 5);
  t.like(lines[1], { id: 'b', verdict: 'ALLOW', expected: 'TRAP', passed: false });
  t.like(lines[2], { id: 'c', verdict: 'error', passed: true, instructions: 0 });
  t.like(lines[3], { id: 'd', verdict: 'error', passed: false });
  t.regex(String(lines[3]?.['message']), /no syscall 'reed'/);
  t.like(lines[4], { id: 'e', verdict: 'accepted', passed: false });
  t.like(lines[5], { id: 'f', verdict: 'ALLOW', passed: false });
  t.is(lines.length, 6);
});

/** What a person may get wrong in a case: it fails by itself with its place, and the exit code is 2. */
const MALFORMED: readonly (readonly [string, object, RegExp])[] = [
  ['no dialect', { ...CASE, dialect: undefined }, /"dialect" is "minijail-c" or/],
  ['another architecture', { ...CASE, arch: 'mips' }, /no syscalls are known .* "mips"/],
  ['no policy', { ...CASE, policy: undefined }, /give either "policy"/],
  ['two policies', { ...CASE, policyFile: 'a' }, /give either "policy"/],
  ['no syscall', { ...CASE, syscall: undefined }, /give "syscall", a name, or "nr"/],
  ['an unknown syscall', { ...CASE, syscall: 'reed' }, /has no syscall "reed"/],
  ['a number that contradicts', { ...CASE, nr: 5 }, /read is 0 on x86_64, and "nr" is 5/],
  ['seven arguments', { ...CASE, args: [1, 2, 3, 4, 5, 6, 7] }, /at most 6/],
  ['half an argument', { ...CASE, args: [0.5] }, /argument 0 is a whole number/],
  ['an argument too large', { ...CASE, args: ['0x10000000000000000'] }, /at most 64 bits/],
  ['an unknown constant', { ...CASE, args: ['MADV_FOO'] }, /got "MADV_FOO"/],
  ['no expectation', { ...CASE, expect: undefined }, /"expect" is ALLOW, /],
  ['an unknown expectation', { ...CASE, expect: 'ALOW' }, /got "ALOW"/],
  ['an unknown default', { ...CASE, defaultAction: 'explode' }, /got "explode"/],
  ['a file that is no text', { ...CASE, files: { a: 1 } }, /the file "a" is a text/],
  ['an unknown option', { ...CASE, options: { denyList: true } }, /"options" may set/],
  ['a missing file', { ...CASE, policy: undefined, policyFile: 'no.policy' }, /ENOENT/],
];

test('a case that cannot be run is told with its place and fails by itself; the others run', (t) => {
  const lines = [CASE, ...MALFORMED.map(([, value]) => value)].map((each) => JSON.stringify(each));
  const path = folderWith(t, { 'a.json': `{"cases":\n[${lines.join(',\n')}]}` });
  const { status, stdout, stderr } = seccomp('test', path('a.json'));
  t.is(status, 2);
  t.is(stdout, `1 passed, ${MALFORMED.length} failed\n`);
  const told = stderr.trimEnd().split('\n');
  t.is(told.length, MALFORMED.length);
  MALFORMED.forEach(([title, , message], index) => {
    t.true(told[index]?.startsWith(`halyard: ${path('a.json')}:${index + 3}:`), title);
    t.regex(told[index] ?? '', message, title);
  });
});

const BROKEN: readonly (readonly [string, string, RegExp])[] = [
  ['a.json', '{"cases": [1,\n ]}', /a\.json:2:2: not JSON: expected a value$/],
  ['a.json', '{"cases": [', /a\.json:1:12: not JSON: .*the file ends here/],
  [
    'a.json',
    '{"cases": [], "cases": []}',
    /a\.json:1:15: not JSON: the field "cases" is there twice/,
  ],
  ['a.json', '{"case": []}', /a\.json:1:1: expected \{"cases"/],
  ['a.json', '{"cases": {}}', /a\.json:1:11: expected \{"cases"/],
  ['a.yaml', 'cases:\n  - id: "a\n', /a\.yaml:3:1: not YAML: /],
  ['a.yaml', 'cases:\n  - *a\n', /a\.yaml:2:5: not a test file: there is no anchor &a/],
  ['a.yaml', 'cases: &a\n  - *a\n', /a\.yaml:2:3: not a test file: more than 64/],
];

test('a file that is no test file is refused with the place of its fault', (t) => {
  const names = BROKEN.map(([name], index) => `${index}${name}`);
  const path = folderWith(
    t,
    Object.fromEntries(BROKEN.map(([, text], index) => [names[index] ?? '', text])),
  );
  const { status, stdout, stderr } = seccomp('test', ...names.map(path));
  t.is(status, 2);
  t.is(stdout, '0 passed, 0 failed\n');
  const told = stderr.trimEnd().split('\n');
  t.is(told.length, BROKEN.length);
  BROKEN.forEach(([, text, message], index) => {
    t.regex(told[index] ?? '', message, text);
  });
});

test('--arch and --dialect hold for cases that do not say theirs', (t) => {
  const path = folderWith(t, {
    'a.json': fileOf({ ...CASE, arch: undefined, dialect: undefined, syscall: undefined, nr: 3 }),
  });
  const flags = ['--arch', 'arm', '--dialect', 'minijail-python'];
  t.is(seccomp('test', path('a.json'), ...flags).stdout, '1 passed, 0 failed\n');
  t.is(seccomp('test', path('a.json')).status, 2);
});

test('a policy that many cases have is compiled once', (t) => {
  const rules = Array.from({ length: 300 }, (_, index) => `arg0 == ${index * 7}`).join(' || ');
  const cases = Array.from({ length: 3000 }, (_, index) => ({
    ...CASE,
    id: index,
    policy: `read: ${rules}`,
    args: [index],
    expect: index % 7 === 0 && index < 2100 ? 'ALLOW' : 'KILL_THREAD',
  }));
  const path = folderWith(t, { 'a.json': fileOf(...cases) });
  const started = performance.now();
  t.is(seccomp('test', path('a.json')).stdout, '3000 passed, 0 failed\n');
  // Compiled each time it would take minutes.
  t.true(performance.now() - started < 60_000);
});
