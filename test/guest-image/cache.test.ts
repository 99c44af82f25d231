import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { filledOnce, keepNewest } from '../../src/guest-image/cache.js';

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-cache-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a directory is filled once', async (t) => {
  const cache = temporary(t);
  let fills = 0;
  const fill = async (folder: string) => {
    fills += 1;
    writeFileSync(join(folder, 'content'), 'x');
  };
  const target = join(cache, 'deep', 'entry');
  t.is(await filledOnce(target, fill), target);
  t.is(await filledOnce(target, fill), target);
  t.is(fills, 1);
  t.is(readFileSync(join(target, 'content'), 'utf8'), 'x');
});

test('what was not filled to the end is not there', async (t) => {
  const cache = temporary(t);
  const target = join(cache, 'entry');
  await t.throwsAsync(
    filledOnce(target, async (folder) => {
      writeFileSync(join(folder, 'half'), 'x');
      throw new Error('the network is gone');
    }),
    { message: 'the network is gone' },
  );
  t.deepEqual(readdirSync(cache), []);
});

test('two that fill the same directory at once both get it whole', async (t) => {
  const cache = temporary(t);
  const target = join(cache, 'entry');
  const fill = async (folder: string) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(folder, 'content'), 'x');
  };
  await Promise.all([filledOnce(target, fill), filledOnce(target, fill)]);
  t.deepEqual(readdirSync(cache), ['entry']);
  t.deepEqual(readdirSync(target), ['content']);
});

test('what a killed process left is removed after an hour, what another is filling is not', async (t) => {
  const cache = temporary(t);
  const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
  for (const name of ['.old-1', '.new-1']) await filledOnce(join(cache, name), async () => {});
  utimesSync(join(cache, '.old-1'), hoursAgo, hoursAgo);
  await filledOnce(join(cache, 'entry'), async () => {});
  t.deepEqual(readdirSync(cache).sort(), ['.new-1', 'entry']);
});

test('the directories that were used last are kept', async (t) => {
  const cache = temporary(t);
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    await filledOnce(join(cache, name), async () => {});
    const time = new Date(1_000_000 + index * 1000);
    utimesSync(join(cache, name), time, time);
  }
  // Used again: now it is the newest.
  await filledOnce(join(cache, 'a'), async () => t.fail());
  keepNewest(cache, 2);
  t.deepEqual(readdirSync(cache).sort(), ['a', 'c']);
});
