import test from 'ava';
import { hostFigures } from '../../src/hal/mem-pressure-figures.js';

const utf8 = (text: string) => new TextEncoder().encode(text);

/** In KiB; the lines' order and the others' presence are as on a real host. */
function meminfo(values: Readonly<Record<string, number>>): Uint8Array {
  const lines = Object.entries(values).map(
    ([name, value]) => `${`${name}:`.padEnd(16)}${value} kB`,
  );
  return utf8(`${lines.join('\n')}\nHugePages_Total:       0\n`);
}

const HOST = {
  MemTotal: 8_000_000,
  MemFree: 1_048_576,
  MemAvailable: 3,
  Active: 999,
  'Active(anon)': 5,
  'Active(file)': 204_800,
  'Inactive(file)': 102_400,
  SwapTotal: 9,
  SwapFree: 409_600,
  Dirty: 10_240,
};

test('free without min_free, clean file pages and a quarter of free swap', (t) => {
  // 1024 - 64 + (200 + 100 - 10) + 400 / 4
  t.deepEqual(hostFigures(meminfo(HOST), utf8('65536\n')), {
    status: 'read',
    availableMiB: 1350,
    availableBytes: 1350 * 1_048_576,
    totalBytes: 8_000_000 * 1024,
  });
});

test('without min_free_kbytes, or with garbage there, it counts as 0', (t) => {
  for (const minFree of [undefined, utf8(''), utf8('many')]) {
    t.like(hostFigures(meminfo(HOST), minFree), { availableMiB: 1414 });
  }
});

test('more dirty pages than file pages do not count against free memory', (t) => {
  t.like(hostFigures(meminfo({ ...HOST, Dirty: 9_999_999 }), utf8('0')), { availableMiB: 1124 });
});

test('available is rounded down to a MiB and never below 0', (t) => {
  const bare = { MemTotal: 1, MemFree: 2047, 'Active(file)': 0, 'Inactive(file)': 0 };
  t.like(hostFigures(meminfo(bare)), { availableMiB: 1, availableBytes: 2047 * 1024 });
  t.like(hostFigures(meminfo(bare), utf8('4096')), { availableMiB: 0, availableBytes: 0 });
});

test('missing lines are named; a line cut before its unit is missing', (t) => {
  t.deepEqual(hostFigures(utf8('')), {
    status: 'invalid',
    missing: ['MemTotal', 'MemFree', 'Active(file)', 'Inactive(file)'],
  });
  const content = utf8('MemTotal: 10 kB\nActive(file): 1 kB\nInactive(file): 1 kB\nMemFree: 12');
  t.deepEqual(hostFigures(content), { status: 'invalid', missing: ['MemFree'] });
});
