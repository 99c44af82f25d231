import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import test from 'ava';
import { countsOf, testScript } from '../../lab/hardware-tests/host-script.js';
import { TARGET_MACHINES, TEST_TARGETS } from '../../lab/hardware-tests/targets.js';
import { testFiles } from '../../lab/hardware-tests/test-files.js';
import { findTool } from '../../src/guest-image/tool.js';
import { HalError } from '../../src/hal/contract/errors.js';
import { packageRoot } from '../../src/package-info.js';

test("the counts are those of AVA's last lines, coloured or not", (t) => {
  const output = [
    '  ✔ a title with 7 tests failed in it',
    '  \u001b[32m✔\u001b[39m another',
    '  ─',
    '',
    '  \u001b[31m1 test failed\u001b[39m',
    '  3 tests skipped',
    '  1 uncaught exception',
    '',
  ].join('\n');
  t.deepEqual(countsOf(output), { passed: 2, failed: 2, skipped: 3 });
  t.is(countsOf('lab: it died\n'), undefined);
});

test("AVA runs with the target's own Node, and files are words of the shell", (t) => {
  const own = testScript(TARGET_MACHINES.x86_64, ["test/it's.test.ts"]);
  t.regex(own, /^node node_modules\/ava\/.* 'test\/it'\\''s\.test\.ts'$/m);
  t.notRegex(own, /LD_LIBRARY_PATH/);
  const foreign = testScript(TARGET_MACHINES.arm, ['test/a.test.ts']);
  t.regex(foreign, /PATH=\/project\/build\/arm-nodes\/arm:/);
  t.regex(foreign, /ln -s \S+\/ld-linux-armhf\.so\.3 \/lib\//);
});

test('each file pattern of each target names a test', (t) => {
  for (const target of TEST_TARGETS) {
    for (const pattern of TARGET_MACHINES[target].files) {
      const [folder, name] = [dirname(pattern), basename(pattern)];
      const [start, end = ''] = name.split('*') as [string, string?];
      const found = readdirSync(join(packageRoot(), folder)).filter(
        (file) => file.startsWith(start) && file.endsWith(name.includes('*') ? end : start),
      );
      t.true(found.length > 0, `${target}: ${pattern}`);
    }
  }
});

const { compiler } = TARGET_MACHINES.x86_64;
const reason = findTool(compiler) === undefined ? ` (skipped: no ${compiler})` : '';
const compiles = reason === '' ? test : test.skip;

compiles(
  `the host gets the tests, what runs them, and their helpers compiled${reason}`,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'halyard-test-files-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const files = await testFiles(packageRoot(), TARGET_MACHINES.x86_64, folder);
    const paths = new Set(files.map(({ path }) => path));
    for (const path of [
      'test/lab/hardware-tests.test.ts',
      'node_modules/ava/entrypoints/cli.mjs',
      'node_modules/.cache/keep',
      'build/c-helpers/verdicts',
    ]) {
      t.true(paths.has(path), path);
    }
    t.false([...paths].some((path) => path.startsWith('node_modules/typescript/')));
    const verdicts = files.find(({ path }) => path === 'build/c-helpers/verdicts');
    t.is(
      readFileSync(verdicts?.from ?? '')
        .subarray(1, 4)
        .toString(),
      'ELF',
    );
  },
);

test('without the compiler of a target, or what is foreign, it is said what to do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-test-files-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const lacking = { ...TARGET_MACHINES.arm, compiler: 'no-such-compiler' };
  const error = await t.throwsAsync(testFiles(packageRoot(), lacking, folder));
  t.true(HalError.is(error));
  t.regex(error?.message ?? '', /no-such-compiler is not installed.*apt-get install gcc-arm/s);
});
