import test from 'ava';
import { findTool, runTool } from '../../src/guest-image/tool.js';

const remedy = 'Install it.';

test('a program that is not installed is an error with its remedy', async (t) => {
  t.is(findTool('no-such-program'), undefined);
  await t.throwsAsync(runTool('no-such-program', [], { remedy }), {
    code: 'UNSUPPORTED',
    message: 'no-such-program is not installed. Install it.',
  });
});

test('a program that fails is an error with the last line that it printed', async (t) => {
  const script = 'console.error("at first"); console.error("E: no room"); process.exit(1)';
  await t.throwsAsync(runTool(process.execPath, ['-e', script], { remedy }), {
    code: 'UNSUPPORTED',
    message: `${process.execPath} -e failed: E: no room. Install it.`,
  });
});

test('what a program prints comes back, in the folder that it was run in', async (t) => {
  const script = 'process.stdout.write(process.cwd())';
  const cwd = process.cwd();
  t.is(await runTool(process.execPath, ['-e', script], { cwd, remedy }), cwd);
});
