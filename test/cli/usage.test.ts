import { spawnSync } from 'node:child_process';
import test from 'ava';

const TRACE = 'recordings/hostile-guest/run.mcap';

/** What a person may get wrong, and the one line that says so. None of these touches hardware. */
const MISTAKES: readonly (readonly [string, RegExp])[] = [
  ['bogus', /unknown command 'bogus'/],
  ['run --foo', /unknown option '--foo'/],
  ['run --margin foo', /expected a number of MiB, -N or "auto"/],
  ['run --memory 1', /ramMiB must be a whole number from 16/],
  ['run --config /nonexistent.json', /--config \/nonexistent.json cannot be read: ENOENT/],
  ['run --config {bad', /--config is not JSON/],
  ['run --console /nonexistent/log', /--console \/nonexistent\/log cannot be written: ENOENT/],
  ['replay', /missing required argument 'files'/],
  ['replay /nonexistent.mcap', /\/nonexistent.mcap: .*ENOENT/],
  ['replay README.md', /README.md: byte 0: not a trace/],
  ['replay --match foo x', /Allowed choices are exact, effects/],
  [`inspect ${TRACE} --turn 1.5`, /expected a whole number/],
  [`inspect ${TRACE} --turn 99999`, /has the turns 0 to \d+, not 99999/],
  [`inspect ${TRACE} --lane foo`, /has no lane "foo"; it has main/],
  [`repair ${TRACE}`, /required option '-o, --output <file>'/],
  [`repair ${TRACE} -o README.md`, /README.md: .*name a file that does not exist yet/],
  [`repair ${TRACE} -o /nonexistent/whole.mcap`, /open failed with ENOENT; no trace was begun/],
];

const halyard = (args: readonly string[]) =>
  spawnSync(process.execPath, ['dist/bin/halyard.cjs', ...args], { encoding: 'utf8' });

for (const [command, line] of MISTAKES) {
  test(`halyard ${command}: one clear line, and exit code 2`, (t) => {
    const { status, stdout, stderr } = halyard(command.split(' '));
    t.is(status, 2);
    t.is(stdout, '');
    t.regex(stderr, /^halyard: [^\n]+\n$/);
    t.regex(stderr, line);
  });
}

test('every command has a help, and the command says its version', (t) => {
  for (const command of [
    'run',
    'record',
    'replay',
    'inspect',
    'repair',
    'doctor',
    'demo',
    'seccomp',
  ]) {
    const { status, stdout } = halyard([command, '--help']);
    t.is(status, 0);
    t.regex(stdout, new RegExp(`^Usage: halyard ${command} `));
  }
  t.regex(halyard(['--help']).stdout, /Examples:\n[\s\S]*Exit codes: 0/);
  t.regex(halyard(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
});
