import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import test from 'ava';
import { packageRoot } from '../src/package-info.js';
import { check } from './layering/check.js';
import { formatFinding } from './layering/finding.js';

const FOLDERS = ['src', 'test', 'bench', 'examples', 'scripts', 'lab'];

function sourcesOf(folders: readonly string[]): ReadonlyMap<string, string> {
  const root = packageRoot();
  const present = new Set(readdirSync(root));
  const paths = folders
    .filter((folder) => present.has(folder))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.ts'))
        .map((path) => `${folder}/${path.split(sep).join('/')}`),
    );
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** What the rules say of one file, without its path. */
function findingsIn(path: string, text: string, others: Readonly<Record<string, string>> = {}) {
  const sources = new Map([[path, text], ...Object.entries(others)]);
  return check(sources).map(formatFinding);
}

test('the sources keep to the layers and to the rules that make replay exact', (t) => {
  const sources = sourcesOf(FOLDERS);
  for (const folder of ['hal', 'devices', 'policy', 'machine', 'programs', 'trace', 'cli']) {
    t.true(
      [...sources.keys()].some((path) => path.startsWith(`src/${folder}/`)),
      folder,
    );
  }
  t.is(check(sources).map(formatFinding).join('\n'), '');
});

const IMPORTS: [string, string, RegExp | undefined][] = [
  ['src/hal/kvm.ts', '../trace/reader.js', /^src\/hal\/kvm\.ts:2: layers: src\/hal\/ may not/],
  ['src/hal/bind.ts', './native/addon.js', /:2: native: only src\/hal\/native\/ and src\/cli\//],
  ['src/hal/native/console.ts', '../console.js', undefined],
  ['src/hal/native/console.ts', '../../reactor/reactor.js', /layers: src\/hal\/native\/ may not/],
  ['src/trace/reader.ts', '../hal/contract/schema.js', undefined],
  ['src/trace/reader.ts', '../hal/replay/turn-cursor.js', /layers: src\/trace\/ may not/],
  ['src/reactor/reactor.ts', '../devices/virtio/backend.js', /layers: src\/reactor\/ may not/],
  ['src/devices/balloon/stats.ts', '../virtio/backend.js', undefined],
  ['src/devices/balloon/stats.ts', '../../policy/margin.js', /layers: src\/devices\/ may not/],
  ['src/policy/margin.ts', '../devices/balloon/stats.js', /layers: src\/policy\/ may not/],
  ['src/policy/margin.ts', '../program.js', /layers: src\/policy\/ may not import src\/program/],
  ['src/machine/bus.ts', '../devices/virtio/backend.js', undefined],
  ['src/machine/bus.ts', '../policy/margin.js', /layers: src\/machine\/ may not/],
  ['src/seccomp/parser.ts', '../hal/seccomp.js', /layers: src\/seccomp\/ may not/],
  ['src/programs/vm.ts', '../policy/margin.js', undefined],
  ['src/programs/vm.ts', '../hal/native/index.js', /native: only/],
  ['src/fixture/modes.ts', '../run.js', undefined],
  ['src/fixture/modes.ts', '../cli/main.js', /layers: src\/fixture\/ may not/],
  ['src/fixture/modes.ts', '../hal/native/host-files.js', /native: only/],
  ['src/cli/main.ts', '../hal/native/index.js', undefined],
  ['src/run.ts', './policy/margin.js', /layers: src\/\*\.ts may not/],
  ['src/unheard-of/x.ts', '../run.js', /layers: src\/unheard-of\/x\.ts is in no layer/],
  ['src/devices/x.ts', 'node:fs', /modules: src\/devices\/ may not import node:fs/],
  ['src/policy/x.ts', 'node:worker_threads', /modules: src\/policy\/ may not/],
  ['src/machine/x.ts', 'net', /modules: src\/machine\/ may not import net/],
  ['src/devices/x.ts', 'inversify', undefined],
  ['src/cli/x.ts', 'node:fs', undefined],
  ['src/cli/x.ts', 'halyard/native', /layers: halyard\/native is this package/],
];

test('each import that a layer may not have is found, in every form, and the others are not', (t) => {
  const forms = [
    (target: string) => `import { x } from '${target}';`,
    (target: string) => `import '${target}';`,
    (target: string) => `export { x } from '${target}';`,
    (target: string) => `const x = await import('${target}');`,
    (target: string) => `const x = require('${target}');`,
  ];
  for (const [path, target, expected] of IMPORTS) {
    for (const form of forms) {
      // Only the imports are of interest here: `await` and `require` are refused for themselves in some layers.
      const found = findingsIn(path, `\n${form(target)}\n`).filter(
        (line) => !/ globals: /.test(line),
      );
      if (expected === undefined) t.deepEqual(found, [], `${path} ${form(target)}`);
      else t.regex(found.join('\n'), expected, `${path} ${form(target)}`);
    }
  }
});

test('the trace knows the recorder and the replayer by their types alone', (t) => {
  const target = '../hal/record/turn-encoder.js';
  const types = [
    `import type { TurnSink } from '${target}';`,
    `import { type TurnSink } from '${target}';`,
    `export type { TurnSink } from '${target}';`,
    `type TurnSink = import('${target}').TurnSink;`,
  ];
  for (const text of types) t.deepEqual(findingsIn('src/trace/x.ts', text), [], text);
  const mixed = `import { type TurnSink, TurnEncoder } from '${target}';`;
  t.regex(findingsIn('src/trace/x.ts', mixed).join(), /layers: src\/trace\/ may not/);
});

test('a way from halyard to the addon is found, and shown', (t) => {
  const found = findingsIn('src/index.ts', "export { run } from './run.js';", {
    'src/run.ts': "\nimport { f } from './hal/bind.js';",
    'src/hal/bind.ts': "const f = () => import('./native/index.js');",
  });
  t.deepEqual(
    found.filter((line) => line.includes(': addon: ')),
    [
      'src/hal/bind.ts:1: addon: src/index.ts reaches it: src/index.ts → src/run.ts → src/hal/bind.ts → ' +
        'src/hal/native/index.ts',
    ],
  );
  for (const loader of ["const file = '../build/halyard.node';", 'process.dlopen(m, file);']) {
    t.regex(
      findingsIn('src/run.ts', loader).join(),
      /^src\/run\.ts:1: addon: .*only src\/hal\/native/,
    );
    t.deepEqual(findingsIn('src/hal/native/addon.ts', loader), []);
  }
});

const NONDETERMINISM: [string, RegExp][] = [
  ['const now = Date.now();', /Date: time comes from Clock/],
  ['const now = new Date();', /Date/],
  ['const now = performance.now();', /performance/],
  ['setTimeout(() => {}, 1);', /setTimeout: timers come from Clock/],
  ['setInterval(() => {}, 1);', /setInterval/],
  ['setImmediate(() => {});', /setImmediate/],
  ['queueMicrotask(() => {});', /queueMicrotask: a turn is synchronous/],
  ['const draw = Math.random();', /Math\.random: chance comes from Entropy/],
  ["const draw = Math['random']();", /Math: use it as Math\.name/],
  ['const { random } = Math;', /Math: use it as Math\.name/],
  ['const home = process.env;', /process: it belongs/],
  ['const { process: own } = globalThis;', /globalThis: it belongs/],
  ['const done = Promise.resolve();', /Promise: a turn is synchronous/],
  ['export type Later = Promise<void>;', /Promise/],
  ['export async function f() {}', /async: a turn is synchronous/],
  ['export const f = async () => {};', /async/],
  ['export class A { async f() {} }', /async/],
  ['for await (const x of y) f(x);', /await|async/],
  ['const shared = new SharedArrayBuffer(4);', /SharedArrayBuffer: memory is read through Mmap/],
  ['Atomics.load(x, 0);', /Atomics/],
  ["eval('1');", /eval/],
  ["new Function('return 1');", /Function/],
  ['const here = import.meta.url;', /import\.meta/],
  ['export const all = { crypto };', /crypto/],
  ['export function f(process: number) { g(process); } process.exit();', /process/],
  ['{ const process = 1; } f(process);', /process/],
  ['declare const process: { pid: number }; f(process.pid);', /process/],
];

test('what would bring in chance, time or this machine above the HAL is found', (t) => {
  for (const folder of ['devices', 'policy', 'machine', 'programs']) {
    for (const [text, expected] of NONDETERMINISM) {
      const found = findingsIn(`src/${folder}/x.ts`, `\n\n${text}\n`);
      t.regex(found.join('\n'), expected, text);
      t.true(
        found.every((line) => line.startsWith(`src/${folder}/x.ts:3: globals: `)),
        text,
      );
    }
  }
  t.deepEqual(findingsIn('src/cli/x.ts', NONDETERMINISM.map(([text]) => text).join('\n')), []);
});

test('names that only look like them are no findings', (t) => {
  const text = [
    'export const a = { process: 1, Date: 2 };',
    'export interface B { process: number; performance(): void }',
    'export const c = x.process.performance;',
    'export const { process: d } = x;',
    'export const e = Math.max(1, 2);',
    '// setTimeout, Date and Promise in a comment',
    "export const f = 'setTimeout(Date)';",
    "import { Process } from '../hal/process.js';",
    'export class G { constructor(private readonly process: Process) { process.spawn(); } }',
    'export function h({ crypto }: Keys) { return () => crypto; }',
    'for (const global of x) f(global);',
  ];
  t.deepEqual(findingsIn('src/devices/x.ts', text.join('\n')), []);
});

const STYLE: [string, string, RegExp][] = [
  ['src/cli/x.ts', 'export default 1;', /x\.ts:1: exports: no default export/],
  ['test/x.test.ts', 'export default function f() {}', /no default export/],
  ['src/cli/x.ts', 'const a = 1;\nexport { a as default };', /:2: exports: no default export/],
  ['src/cli/x.ts', 'export default class {}', /no default export/],
  ['src/cli/x.ts', "export * from './y.js';", /exports: no export \*/],
  ['src/cli/x.ts', "export * as y from './y.js';", /no export \*/],
  ['src/cli/x.ts', 'export const a: any = 1;', /:1: any: say the type/],
  ['src/cli/x.ts', 'export const a = 1 as unknown as any[];', /any: say the type/],
  ['src/cli/camelCase.ts', '', /camelCase\.ts:1: names: .*kebab-case/],
  ['test/Upper.test.ts', '', /kebab-case/],
  ['src/cli/x.ts', '\n'.repeat(401), /x\.ts:401: length: 401 lines; at most 400/],
];

test('forms that this code does without are found', (t) => {
  for (const [path, text, expected] of STYLE) {
    t.regex(findingsIn(path, text).join('\n'), expected, `${path}: ${text.slice(0, 40)}`);
  }
  const excused =
    '// biome-ignore lint/suspicious/noExplicitAny: a reason\nexport const a: any = 1;';
  t.deepEqual(findingsIn('src/cli/x.ts', excused), []);
  t.regex(findingsIn('src/cli/x.ts', excused.replace('a reason', '')).join(), /any: say/);
  t.deepEqual(findingsIn('src/cli/x.ts', '\n'.repeat(400)), []);
  const switched = 'switch (x) {\n  default:\n}';
  t.deepEqual(findingsIn('src/cli/x.ts', switched), []);
});
