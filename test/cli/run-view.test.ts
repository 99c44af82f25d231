import test from 'ava';
import { drawChart } from '../../src/cli/chart.js';
import { RunView } from '../../src/cli/run-view.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are controlled by them.
const COLOURS = /\u001b\[\d*m/g;
const plain = (rows: readonly string[]) => rows.map((row) => row.replace(COLOURS, ''));

const POINTS = Array.from({ length: 300 }, (_, index) => ({
  seconds: index / 2,
  availableMiB: 2000 - index,
  marginMiB: 1800,
  balloonMiB: index,
}));

test('a chart fits its terminal, whatever its size', (t) => {
  for (const [columns, rows] of [
    [80, 24],
    [120, 40],
    [44, 12],
    [200, 8],
  ] as const) {
    for (const count of [1, 5, 60, 300]) {
      const drawn = plain(drawChart(POINTS.slice(0, count), { columns, rows }));
      t.true(drawn.length <= rows, `${drawn.length} rows in ${rows}`);
      t.true(
        drawn.every((row) => row.length < columns),
        `${columns} columns`,
      );
    }
  }
});

test('a chart says what it shows, in which unit, of when', (t) => {
  const drawn = plain(drawChart(POINTS.slice(0, 60), { columns: 80, rows: 24 }));
  t.is(drawn[0], '● available 1941 MiB   ─ margin 1800 MiB');
  t.is(drawn[11], '█ balloon 59 MiB');
  t.is(drawn.at(-1), `         └0.0 s${'29.5 s'.padStart(55)}`);
});

/** What a terminal shows in the end, for the few sequences that the view uses. */
function screen(output: string): string[] {
  const rows: string[] = [''];
  let at = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  for (const [token] of output.matchAll(/\u001b\[\d*[A-Za-z]|\n|\r|[^\u001b\n\r]+/g)) {
    if (token === '\n') rows[++at] ??= '';
    else if (token.endsWith('A') && token.startsWith('\u001b')) at -= Number(token.slice(2, -1));
    else if (token === '\u001b[J') rows.splice(at + 1);
    else if (!token.startsWith('\u001b') && token !== '\r') rows[at] = token;
  }
  return rows;
}

test('each drawing replaces the one before, messages too', (t) => {
  let output = '';
  const view = new RunView(
    'chart',
    (text) => {
      output += text;
    },
    () => ({ columns: 40, rows: 24 }),
  );
  for (let time = 0; time < 20; time++) {
    view.guestLine(`message ${time} ${'long '.repeat(20)}`);
    view.sample({
      timeNs: time * 1e9,
      availableMiB: 1000 - time,
      marginMiB: 900,
      observation: { level: 'none' },
      currentBytes: 0,
    } as unknown as Parameters<RunView['sample']>[0]);
  }
  const shown = screen(output.replace(COLOURS, ''));
  t.is(shown.length, 1 + 10 + 1 + 5 + 1 + 4 + 1, 'a row for the cursor is left');
  t.is(shown.filter((row) => row.includes('available')).length, 1);
  t.deepEqual(
    shown.filter((row) => row.startsWith('message')).map((row) => row.slice(0, 10)),
    ['message 16', 'message 17', 'message 18', 'message 19'],
  );
  t.true(shown.every((row) => row.length < 40));
});
