import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const MAIN = 'dist/bin/halyard.cjs';

test('a cut recording is repaired lane by lane, and what is left replays', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-repair-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [cut, whole] = [join(folder, 'cut.mcap'), join(folder, 'whole.mcap')];
  const recording = readFileSync('recordings/device-killed/run.mcap');
  writeFileSync(cut, recording.subarray(0, recording.length * 0.7));
  const repaired = execFileSync(process.execPath, [MAIN, 'repair', cut, '-o', whole]).toString();
  t.regex(repaired, /lane main: \d+ turns recovered/);
  t.regex(repaired, /lane device#2: \d+ turns recovered/);
  const replayed = execFileSync(process.execPath, [MAIN, 'replay', whole]).toString();
  t.regex(replayed, /lane main: \d+ turns, \d+ calls match \(broken off\)/);
  t.regex(replayed, /identical \(exact\)/);
});
