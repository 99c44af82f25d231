import test from 'ava';
import fc from 'fast-check';
import { PolicyError } from '../../src/seccomp/language/diagnostic.js';
import { analysePolicy, parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import { lintPolicy } from '../../src/seccomp/lint/lint-policy.js';
import { type Dialect } from '../../src/seccomp/policy.js';
import { inputOf } from './language-kit.js';

const PIECES = [
  ...'read write ioctl kill arg0 arg1 arg6 arg-1 == != < <= > >= & in && || | ~ ( ) { } [ ]'.split(
    ' ',
  ),
  ...': ; , = 1 0 -1 08 0x10 99999999999999999999 EPERM return allow kill-process trap 1: # @'.split(
    ' ',
  ),
  ...'@include @frequency @default @denylist ./inc ./p.policy arch=arm x@y \u00a0 \u2028 \ud83d\ude00'.split(
    ' ',
  ),
  ' ',
  '  ',
  '\t',
  '\n',
  '\r\n',
  '\r',
  '\\\n',
  '\\',
  '\0',
  '\ud800',
];

const policies = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((pieces) => pieces.join('')),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((pieces) => pieces.join(' ')),
);
const dialects = fc.constantFrom<Dialect>('minijail-c', 'minijail-python');

test('no text makes a parser fail in another way than by its faults', (t) => {
  fc.assert(
    fc.property(dialects, policies, policies, (dialect, text, inc) => {
      const input = inputOf(dialect, text, { files: { inc, 'p.policy': text } });
      try {
        parsePolicy(input);
      } catch (error) {
        if (!(error instanceof PolicyError)) throw error;
      }
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

test('every fault and warning stands in its file, at a line and column that it has', (t) => {
  fc.assert(
    fc.property(dialects, policies, (dialect, text) => {
      const { faults, warnings } = analysePolicy(inputOf(dialect, text));
      const lines = text.split(dialect === 'minijail-c' ? /\n/ : /\r\n|\r|\n/);
      for (const { place, token } of [...faults, ...warnings]) {
        const { column, length, line } = place.span;
        const source = lines[line - 1];
        if (source !== place.sourceLine) throw new Error(`line ${line} is another one`);
        if (column < 1 || column > source.length + 1 || length < 1) throw new Error('column');
        if (token !== source.slice(column - 1, column - 1 + length)) throw new Error('token');
      }
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('the lint has something to say of any text, or nothing, and never fails', (t) => {
  fc.assert(
    fc.property(dialects, policies, (dialect, text) => {
      const findings = lintPolicy(inputOf(dialect, text));
      for (const { span } of findings)
        if (span.line < 1 || span.column < 1) throw new Error('span');
    }),
    { numRuns: 500 },
  );
  t.pass();
});
