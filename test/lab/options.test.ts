import { spawnSync } from 'node:child_process';
import test from 'ava';
import fc from 'fast-check';
import { commandScript, parseOptions } from '../../lab/options.js';

function parse(...argv: string[]) {
  let said = '';
  const parsed = parseOptions(argv, (text) => {
    said += text;
  });
  return { parsed, said };
}

test("options before the command are the lab's, those behind it the command's", (t) => {
  const { parsed } = parse('--arch', 'arm64', '--host-memory', '512MiB', 'halyard', '--json');
  t.like(parsed, {
    kind: 'run',
    options: {
      arch: 'arm64',
      hostMemoryBytes: 512 * 2 ** 20,
      json: false,
      timeoutSeconds: 300,
      out: 'lab-out',
      command: ['halyard', '--json'],
    },
  });
  t.like(parse('x').parsed, { options: { hostMemoryBytes: 2 * 2 ** 30 } });
});

test('usage that makes no sense is refused in a line, with exit code 2', (t) => {
  for (const [argv, expected] of [
    [[], /missing required argument 'command'/],
    [['--arch', 'mips', 'x'], /argument 'mips' is invalid/],
    [['--host-memory', '2', 'x'], /expected 512MiB or more, as in 2GiB/],
    [['--host-memory', '511MiB', 'x'], /expected 512MiB or more/],
    [['--timeout', '0', 'x'], /expected a whole number of seconds/],
    [['--time', '1', 'x'], /unknown option '--time'/],
  ] as const) {
    const { parsed, said } = parse(...argv);
    t.deepEqual(parsed, { kind: 'end', exitCode: 2 });
    t.regex(said, expected);
    t.regex(said, /^lab: .*\n/);
  }
});

test('help is no mistake', (t) => {
  const { parsed, said } = parse('--help');
  t.deepEqual(parsed, { kind: 'end', exitCode: 0 });
  t.regex(said, /--host-memory <size> .*\(default: 2GiB\)/s);
});

test('one word is a line for the shell', (t) => {
  t.is(commandScript(['a && b | c']), 'a && b | c\n');
});

test('several words reach the program as they are', (t) => {
  if (process.platform === 'win32') {
    t.log('skipped: Windows has no sh');
    t.pass();
    return;
  }
  const word = fc.oneof(
    fc.constantFrom("it's", '$HOME', 'a b', '`id`', '\\', '"', '*', '', '-n', ';', '\n'),
    fc.stringMatching(/^[ -~]{0,12}$/),
  );
  const arbitrary = fc.array(word, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(arbitrary, (words) => {
      const print = 'for w; do printf "%s\\0" "$w"; done';
      const script = commandScript(['sh', '-c', print, 'sh', ...words]);
      const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
      t.deepEqual(stdout.split('\0').slice(0, -1), words);
    }),
    { numRuns: 30 },
  );
});
