import type { Architecture } from '../architecture.js';
import type { Action } from '../policy.js';
import { parseSingleConstant } from './python-constant.js';
import type { TokenCursor } from './token-cursor.js';

export interface PythonContext {
  readonly architecture: Architecture;
  /** What `kill` means. */
  readonly killAction: Action;
  readonly denylist: boolean;
  readonly useRetLog: boolean;
}

const WORDS: ReadonlyMap<string, Action> = new Map(
  (['allow', 'kill-process', 'kill-thread', 'trap', 'trace', 'log', 'user-notify'] as const).map(
    (kind) => [kind, { kind }],
  ),
);

const DEFAULT_KINDS: ReadonlySet<Action['kind']> = new Set([
  'kill-process',
  'kill-thread',
  'trap',
  'user-notify',
]);

const REMEDY =
  "actions are allow, 1, kill, kill-process, kill-thread, trap, trace, log, user-notify and 'return ERRNO'";

/** An action of a filter. Abandons the statement if there is none. */
export function parsePythonAction(cursor: TokenCursor, context: PythonContext): Action {
  const token = cursor.next;
  if (token !== undefined && context.denylist && token.kind !== 'return') {
    cursor.refuse('denylist-action', "'return'", "a denylist's actions are 'return ERRNO' only");
  }
  if (token?.kind === 'return') return parseReturn(cursor, context);
  if (token?.kind === 'action') {
    const action = actionOf(token.text, context);
    if (action !== undefined) {
      cursor.take();
      return action;
    }
  }
  if (token?.kind === 'number') {
    if (parseSingleConstant(cursor, context.architecture) === 1n) return { kind: 'allow' };
    return cursor.findings.abandon('invalid-action', {
      place: token.place,
      message: `'${token.text}' is no action`,
      remedy: REMEDY,
    });
  }
  return cursor.refuse('invalid-action', 'an action', REMEDY);
}

function parseReturn(cursor: TokenCursor, context: PythonContext): Action {
  cursor.take();
  if (cursor.next === undefined) {
    cursor.refuse(
      'invalid-return',
      "the errno after 'return'",
      "write 'return EPERM', or an action word",
    );
  }
  if (context.useRetLog) {
    cursor.take();
    return { kind: 'log' };
  }
  const { place } = cursor;
  const word = parseSingleConstant(cursor, context.architecture);
  const errno = Number(word & 0xffffn);
  if (word > 0xffffn) {
    cursor.findings.warn('errno-truncated', {
      place,
      message: `only the low 16 bits of this errno are used: ${errno}`,
      remedy: `write ${errno} if you mean it`,
    });
  }
  return { kind: 'errno', errno };
}

/** The action of `@default ACTION`. Abandons the statement if it is none, or one that would allow. */
export function parsePythonDefault(cursor: TokenCursor, context: PythonContext): Action {
  const remedy = `it may be kill, ${[...DEFAULT_KINDS].join(', ')}`;
  const token = cursor.next;
  if (token?.kind !== 'action')
    return cursor.refuse('invalid-default-action', 'an action word', remedy);
  const action = actionOf(token.text, context);
  if (action === undefined || (token.text !== 'kill' && !DEFAULT_KINDS.has(action.kind))) {
    return cursor.findings.abandon('permissive-default-action', {
      place: token.place,
      message: `a policy cannot make '${token.text}' its default action`,
      remedy: `${remedy}; anything else has to be asked for on the command line`,
    });
  }
  cursor.take();
  return action;
}

function actionOf(text: string, context: PythonContext): Action | undefined {
  return text === 'kill' ? context.killAction : WORDS.get(text);
}
