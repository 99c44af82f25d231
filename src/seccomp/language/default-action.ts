import type { Architecture } from '../architecture.js';
import type { Action } from '../policy.js';
import { PolicyError } from './diagnostic.js';
import { Findings } from './findings.js';
import { parsePythonAction } from './python-action.js';
import { lexPython } from './python-lexer.js';
import { TokenCursor } from './token-cursor.js';

/** How messages name the text, which comes from a command line. */
const SOURCE = '<default action>';

/**
 * A default action as it is asked for on a command line, permissive ones too: `trap`, `kill-process`, `return EPERM`, …
 * `kill` is kill-process, as in minijail's compiler.
 * @throws PolicyError if it is none
 */
export function parseDefaultAction(text: string, architecture: Architecture): Action {
  const findings = new Findings();
  const { statements } = lexPython(text, SOURCE, findings);
  const end = {
    span: { file: SOURCE, line: 1, column: text.length + 1, length: 1 },
    sourceLine: text,
  };
  const cursor = new TokenCursor(statements[0] ?? { tokens: [], end }, findings);
  const action = findings.attempt(() => {
    const parsed = parsePythonAction(cursor, {
      architecture,
      killAction: { kind: 'kill-process' },
      denylist: false,
      useRetLog: false,
    });
    if (cursor.next !== undefined || statements.length > 1) cursor.refuse('extra-token', 'the end');
    return parsed;
  });
  if (action === undefined || findings.faults.length > 0)
    throw new PolicyError(findings.faults, []);
  return action;
}
