import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { allowedSyscalls } from '../../bench/allowed-syscalls.js';
import { toCDialect } from '../../bench/peers/c-dialect.js';
import { differenceOf, type PolicyFigures, policyFigures } from '../../bench/peers/figures.js';
import {
  InexpressibleError,
  libseccompRules,
  prioritiesOf,
} from '../../bench/peers/libseccomp-rules.js';
import { tablesAsC, tablesAsJson } from '../../bench/peers/minijail-tables.js';
import { parsePeersOptions } from '../../bench/peers/options.js';
import { outcomeOf } from '../../bench/peers/peer.js';
import { countedFrequencies, policiesFor, withRelativePaths } from '../../bench/peers/policies.js';
import { bestPeer, missedGoals, worstAndMedian } from '../../bench/peers/ratios.js';
import { reportText } from '../../bench/peers/report.js';
import { frequencyFile, parseFrequencies, weightsFor } from '../../bench/peers/weights.js';
import { programBound } from '../../bench/program-bound.js';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';
import { encodeProgram } from '../../src/seccomp/bpf/instruction.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { compilePlainly } from '../../src/seccomp/compile/compile-plain.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Dialect, Policy } from '../../src/seccomp/policy.js';

function policyOf(
  text: string,
  architecture: ArchitectureName = 'x86_64',
  dialect: Dialect = 'minijail-python',
): Policy {
  return parsePolicy({
    text,
    file: 'a.policy',
    dialect,
    architecture: architectureOf(architecture),
  }).policy;
}

const ORDINARY = [
  'read: 1',
  'mmap: arg2 in ~PROT_EXEC || arg0 != 5 && arg1 >= 7',
  'openat: return EPERM',
  'prctl: {arg0 == 3, return EINVAL}',
  'ioctl: arg1 & 6',
  'ioctl: arg1 == 0xffffffff80000000',
  '',
].join('\n');

test('options: architectures in their usual order, and what is wrong with others', (t) => {
  const options = parsePeersOptions(['--policies', 'a', '--policies', 'b', '--arch', 'arm']);
  t.like(options, { policies: ['a', 'b'], architectures: ['arm'], counted: false, json: false });
  t.like(parsePeersOptions([]), { architectures: ['x86_64', 'aarch64', 'arm'] });
  t.is(parsePeersOptions(['--arch', 'mips']), '--arch expects x86_64, aarch64 or arm, got mips');
  t.regex(String(parsePeersOptions(['--polices', 'a'])), /--polices/);
});

test('paths of an installed system lead to the files beside', (t) => {
  const files = new Set(['common.policy', 'common.frequency']);
  const text = '@include /usr/share/x/common.policy\n@frequency /usr/common.frequency\n';
  t.is(withRelativePaths(text, files), '@include ./common.policy\n@frequency ./common.frequency\n');
  const kept = '@include ./common.policy\n@include /usr/other.policy\n# /usr/common.policy\n';
  t.is(withRelativePaths(kept, files), kept);
});

test('weights go to what an architecture calls the same', (t) => {
  const counted = parseFrequencies('# counted\nread: 4\nmmap: 3\nepoll_wait: 2\nfutex: 9\n');
  const weights = (architecture: ArchitectureName, text: string) => {
    const policy = policyOf(text, architecture);
    return frequencyFile(weightsFor(policy, counted), policy.architecture);
  };
  t.is(
    weights('x86_64', 'read: 1\nmmap: 1\nepoll_pwait: 1\n'),
    'read: 4\nmmap: 3\nepoll_pwait: 2\n',
  );
  t.is(weights('arm', 'mmap2: 1\nepoll_wait: 1\nepoll_pwait: 1\n'), 'mmap2: 3\nepoll_wait: 2\n');
  t.is(weights('arm', 'mmap2: 1\nread: 1\n'), 'read: 4\nmmap2: 3\n');
  t.is(weights('aarch64', 'mmap: 1\nepoll_pwait: 1\n'), 'mmap: 3\nepoll_pwait: 2\n');
});

test('the C dialect says the same, where it has words', (t) => {
  for (const architecture of ['x86_64', 'aarch64', 'arm'] as const) {
    const policy = policyOf(
      ORDINARY.replace('mmap', architecture === 'arm' ? 'mmap2' : 'mmap').replace(
        '0xffffffff80000000',
        architecture === 'arm' ? '0x80000000' : '0xffffffff80000000',
      ),
      architecture,
    );
    const { text, shortened } = toCDialect(policy);
    t.deepEqual(shortened, []);
    const again = policyOf(text, architecture, 'minijail-c');
    t.is(differenceOf(policy, compilePolicy(again), allowedSyscalls(policy)), undefined);
    t.is(differenceOf(again, compilePolicy(policy), allowedSyscalls(again)), undefined);
  }
});

test('what the C dialect has no words for is left out and named', (t) => {
  const policy = policyOf(
    'read: 1\nioctl: arg1 == 5\nioctl: arg1 == 6; return EPERM\nopenat: arg2 == 0; return EPERM\n',
  );
  t.deepEqual(toCDialect(policy), {
    text: 'read: 1\nioctl: arg1 == 0x5\n',
    shortened: ['ioctl', 'openat'],
  });
});

test("libseccomp's rules: a mask of several bits is a rule for each", (t) => {
  const rules = libseccompRules(policyOf('ioctl: arg1 & 6 && arg2 in 0xf || arg1 == 4\nread: 1\n'));
  const outside = '18446744073709551600';
  t.deepEqual(
    rules.map(({ names, args }) => [names[0], args]),
    [
      [
        'ioctl',
        [
          [1, 7, '2', '2'],
          [2, 7, outside, '0'],
        ],
      ],
      [
        'ioctl',
        [
          [1, 7, '4', '4'],
          [2, 7, outside, '0'],
        ],
      ],
      ['ioctl', [[1, 4, '4', '0']]],
      ['read', []],
    ],
  );
  t.deepEqual(libseccompRules(policyOf('cacheflush: 1\n', 'arm'))[0]?.names, [
    'ARM_cacheflush',
    'cacheflush',
  ]);
});

test("libseccomp's rules: what it has none for is said", (t) => {
  const twice = policyOf('ioctl: arg1 > 4 && arg1 < 9\n');
  t.throws(() => libseccompRules(twice), {
    instanceOf: InexpressibleError,
    message: /^ioctl: two/,
  });
});

test('priorities follow the order of the frequencies', (t) => {
  const { policy } = parsePolicy({
    text: '@frequency ./f\nread: 1\nwrite: 1\nclose: 1\n',
    file: 'a.policy',
    dialect: 'minijail-python',
    architecture: architectureOf('x86_64'),
    include: () => 'write: 5\nread: 4000\n',
  });
  t.deepEqual(
    [...prioritiesOf(policy)],
    [
      [0, 255],
      [1, 254],
    ],
  );
});

test("minijail's tables hold our names and numbers", (t) => {
  const arm = architectureOf('arm');
  const tables = JSON.parse(tablesAsJson(arm)) as Record<string, unknown>;
  t.like(tables, { arch_nr: 0x40000028, arch_name: 'arm', bits: 32 });
  t.is((tables['syscalls'] as Record<string, number>)['mmap2'], 192);
  t.is((tables['constants'] as Record<string, number>)['EPERM'], 1);
  t.regex(tablesAsC(arm), /\{ "mmap2", 192 \},\n/);
  t.regex(tablesAsC(arm), /\{ "EPERM", 1UL \},\n/);
});

test('what a tool printed is a program, or its last complaint', (t) => {
  const program = compilePolicy(policyOf('read: 1\n'));
  const run = { output: encodeProgram(program), complaints: ['first', 'last'] };
  t.deepEqual(outcomeOf({ ...run, ok: true }), { program });
  t.deepEqual(outcomeOf({ ...run, ok: false }), { refused: 'last' });
});

test('a program of another policy is found out', (t) => {
  const policy = policyOf(ORDINARY);
  const allowed = allowedSyscalls(policy);
  const judge = (text: string) => differenceOf(policy, compilePolicy(policyOf(text)), allowed);
  t.is(judge(ORDINARY), undefined);
  t.is(judge(ORDINARY.replace('read', 'write')), 'its program refuses read');
  t.is(judge(`${ORDINARY}close: 1\n`), 'its program decides otherwise about close');
});

test('the bound is below both compilers', (t) => {
  const policy = policyOf(ORDINARY);
  const weights = new Map([[0, 1000]]);
  const plain = { name: 'plain', compile: () => ({ program: compilePlainly(policy) }) };
  const none = { name: 'none', compile: () => ({ refused: 'no' }) };
  const job = { name: 'a', file: 'a.policy', policy, weights };
  const figures = policyFigures(job, [plain, none]);
  t.like(figures, { policy: 'a', allowed: 4, filtered: 3, peers: { none: { refused: 'no' } } });
  const bound = programBound(policy, allowedSyscalls(policy, weights));
  t.is(figures?.bound, bound);
  t.true((figures?.halyard.weighted ?? 0) >= bound);
  t.is(figures && bestPeer(figures)?.name, 'plain');
});

function figures(policy: string, weighted: number, byArgument: number | null): PolicyFigures {
  const own = { instructions: 100, weighted, plain: 10, byArgument };
  return {
    policy,
    allowed: 60,
    filtered: byArgument === null ? 0 : 6,
    bound: 8,
    halyard: own,
    peers: {
      'minijail BST': { instructions: 80, weighted: 10, plain: 10, byArgument: 20 },
      other: { instructions: 120, weighted: 9.9, plain: 10, byArgument: 10, shortened: ['ioctl'] },
      'yet another': { refused: 'why' },
    },
  };
}

test('ratios: the worst, the median, and the goals that were missed', (t) => {
  const all = [figures('good', 9, 15), figures('bad', 9.9, 16), figures('none', 8, null)];
  t.deepEqual(
    worstAndMedian(all, ({ halyard }) => halyard.weighted),
    {
      worst: 9.9,
      worstPolicy: 'bad',
      median: 9,
      policies: 3,
    },
  );
  t.is(
    worstAndMedian(all, () => undefined),
    undefined,
  );
  t.deepEqual(missedGoals(all), [
    { policy: 'bad', goal: 'weighted', ratio: 1, against: 'other' },
    { policy: 'bad', goal: 'byArgument', ratio: 0.8, against: 'minijail BST' },
  ]);
  const text = reportText({ architecture: 'arm', policies: all, refusedAsWritten: { bad: 'so' } });
  t.regex(text, /goals missed:\n {2}bad: weighted 1\.000 against other\n/);
  t.regex(text, /yet another {7}no program: why/);
  t.regex(text, /without some rules of ioctl/);
  t.regex(text, /refuses 1 of 3 as they are written\n {2}bad: so\n/);
});

test('the shipped policies are measured, with checkouts and without', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-peers-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const arm = architectureOf('arm');
  const alone = policiesFor(arm, [], new Map(), join(folder, 'alone'), false);
  t.deepEqual(
    alone.map(({ name }) => name),
    ['halyard/balloon_device', 'halyard/common_device'],
  );
  const checkout = join(folder, 'checkout');
  for (const architecture of ['arm', 'x86_64']) {
    mkdirSync(join(checkout, 'jail', 'seccomp', architecture), { recursive: true });
  }
  writeFileSync(join(checkout, 'jail/seccomp/arm/a.policy'), 'mmap2: 1\nread: 1\n');
  writeFileSync(join(checkout, 'jail/seccomp/x86_64/common_device.frequency'), 'mmap: 7\n');
  const counted = countedFrequencies([folder, checkout]) ?? new Map<string, number>();
  const measured = policiesFor(arm, [checkout], counted, join(folder, 'work'), true);
  const theirs = measured.find(({ name }) => name === 'a');
  t.deepEqual([...(theirs?.policy.frequencies ?? [])], [[192, 7]]);
  t.is(theirs?.policy.syscalls.size, 2);
});
