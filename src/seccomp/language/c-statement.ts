import type { Findings } from './findings.js';
import type { Slice } from './slice.js';

const KEYWORD = '@include';

/** The path of an `@include PATH`, which is the rest of the line. Abandons the statement if it is none. */
export function parseCInclude(statement: Slice, depth: number, findings: Findings): Slice {
  const text = statement.text;
  if (!text.startsWith(KEYWORD)) {
    findings.abandon('invalid-statement', {
      place: statement.place,
      message: `the C dialect has no statement '${/^\S+/u.exec(text)?.[0] ?? text}'`,
      remedy: 'it has @include PATH only; the default action is an option',
    });
  }
  if (text[KEYWORD.length] !== ' ') {
    findings.abandon('invalid-statement', {
      place: statement.place,
      message: "'@include' is followed by one space and a path",
    });
  }
  if (depth > 0) {
    findings.abandon('include-too-deep', {
      place: statement.place,
      message: 'an included file cannot include another one in the C dialect',
      remedy: 'include it from the main file',
    });
  }
  const path = statement.part(KEYWORD.length + 1);
  if (!path.text.startsWith('/') && !path.text.startsWith('./')) {
    findings.abandon('invalid-path', {
      place: path.place,
      message: `'${path.text}' does not start with '/' or './'`,
      remedy: `write './${path.text.trim()}', relative to the working directory`,
    });
  }
  return path;
}
