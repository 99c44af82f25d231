import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { HalError } from '../../../src/hal/contract/errors.js';
import { readableWatcher } from '../../../src/hal/native/index.js';
import { nativeTest } from './native-rig.js';

const INDEX = new URL('../../../src/hal/native/index.js', import.meta.url).href;

/** Runs a module in a process of its own, with another addon's path. */
function runModule(source: string, addon: string): { stdout: string; status: number | null } {
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    env: { ...process.env, HALYARD_ADDON: addon },
  });
}

test('addon: importing the module loads nothing; a missing addon is UNSUPPORTED with a remedy', (t) => {
  const source = `
    const native = await import(${JSON.stringify(INDEX)});
    console.log('imported');
    try { native.nativeImplementations(); } catch (error) {
      console.log(error.name, error.code, error.remedy.includes('build:native'), error.message.includes('/none/x.node'));
    }`;
  const { stdout, status } = runModule(source, '/none/x.node');
  t.is(status, 0);
  t.is(stdout, 'imported\nUnsupportedError UNSUPPORTED true true\n');
});

test('addon: a file that is no addon is UNSUPPORTED, with the cause', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'halyard.node');
  writeFileSync(file, 'no addon');
  const source = `
    const native = await import(${JSON.stringify(INDEX)});
    try { native.loadAddon(); } catch (error) { console.log(error.code, error.cause instanceof Error); }`;
  t.is(runModule(source, file).stdout, 'UNSUPPORTED true\n');
});

nativeTest('watcher: one callback for each watch, however long the file is readable', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  const watcher = readableWatcher();
  t.teardown(() => watcher.dispose());
  let calls = 0;
  const watched = () =>
    new Promise<{ close(): void }>((resolve) => {
      const watch = watcher.watchReadable(path, () => {
        calls++;
        resolve(watch);
      });
    });
  const first = watched();
  writeFileSync(path, 'low');
  (await first).close();
  t.is(calls, 1);
  const second = watched();
  writeFileSync(path, 'low');
  const watch = await second;
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  t.is(calls, 2);
  watch.close();
  watch.close();
});

nativeTest('watcher: what cannot be opened or polled is SYSCALL_FAILED', (t) => {
  const watcher = readableWatcher();
  t.teardown(() => watcher.dispose());
  const missing = t.throws(() => watcher.watchReadable('/none', () => {}), {
    instanceOf: HalError,
    code: 'SYSCALL_FAILED',
  }) as HalError;
  t.deepEqual([missing.errno, missing.syscall], [2, 'openat']);
  const plain = t.throws(() => watcher.watchReadable('/etc/passwd', () => {}), {
    instanceOf: HalError,
    code: 'SYSCALL_FAILED',
  }) as HalError;
  t.is(plain.errno, 1);
});
