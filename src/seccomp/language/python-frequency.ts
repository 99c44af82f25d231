import type { Findings } from './findings.js';
import { lexPython } from './python-lexer.js';
import { parsePythonSyscalls, type SyscallContext } from './python-syscalls.js';
import { TokenCursor } from './token-cursor.js';

/** A frequency file, `DESC: NUMBER` a line: how often each syscall is made, by name. Reports faults. */
export function parseFrequencies(
  text: string,
  file: string,
  context: SyscallContext & { readonly findings: Findings },
): ReadonlyMap<string, number> {
  const { findings } = context;
  const frequencies = new Map<string, number>();
  for (const statement of lexPython(text, file, findings).statements) {
    findings.attempt(() => {
      const cursor = new TokenCursor(statement, findings);
      const syscalls = parsePythonSyscalls(cursor, context);
      cursor.expect('colon', 'missing-colon', "':'", "a line is 'NAME: NUMBER'");
      const frequency = parseNumber(cursor);
      for (const { name } of syscalls) {
        frequencies.set(name, (frequencies.get(name) ?? 0) + frequency);
      }
      if (cursor.next !== undefined) {
        findings.warn('ignored-text', {
          place: cursor.place,
          message: `ignored: '${cursor.next.text}' and what follows`,
        });
      }
    });
  }
  return frequencies;
}

/** As Python reads numbers, not C: a 0 at the start makes no octal number, but a fault. */
function parseNumber(cursor: TokenCursor): number {
  const { place } = cursor;
  const token = cursor.expect(
    'number',
    'invalid-number',
    'a number',
    'write how often it is called',
  );
  const { text } = token;
  const isReadable = /^-?(?:0[xX][0-9a-fA-F]+|0+|[1-9][0-9]*)$/u.test(text);
  const value = isReadable ? Number(text.replace('-', '')) : Number.NaN;
  if (isReadable && (value === 0 || !text.startsWith('-'))) return value;
  return cursor.findings.abandon('invalid-number', {
    place,
    message: `'${text}' is no frequency`,
    remedy: isReadable ? 'it cannot be negative' : 'write it without a 0 at the start',
  });
}
