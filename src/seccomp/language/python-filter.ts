import type { Atom, Clause, Filter, Operator } from '../policy.js';
import { type PythonContext, parsePythonAction } from './python-action.js';
import { parsePythonValue } from './python-constant.js';
import type { TokenCursor } from './token-cursor.js';

/** One more than a syscall has: the seventh is accepted here, and refused by the kernel. */
const ARGUMENT_LIMIT = 7;

/** `SINGLE` or `{SINGLE, SINGLE …}`. Abandons the statement if it is neither. */
export function parsePythonFilters(cursor: TokenCursor, context: PythonContext): readonly Filter[] {
  if (cursor.next === undefined) {
    cursor.refuse('missing-filter', "a filter after ':'", "write 'allow' to allow the syscall");
  }
  const brace = cursor.accept('open-brace');
  if (brace === undefined) return [parseSingle(cursor, context)];
  const filters: Filter[] = [];
  while (cursor.next !== undefined) {
    filters.push(parseSingle(cursor, context));
    if (cursor.accept('comma') === undefined) break;
  }
  if (cursor.accept('close-brace') === undefined) {
    const token = cursor.next;
    cursor.findings.abandon('unclosed-brace', {
      place: brace.place,
      message:
        token === undefined ? "this '{' is not closed" : `'${token.text}' inside of this '{'`,
      remedy: "separate filters with ',' and close with '}'; continue lines with a final backslash",
    });
  }
  return filters;
}

function parseSingle(cursor: TokenCursor, context: PythonContext): Filter {
  const start = cursor.place;
  if (!cursor.isAt('argument')) {
    const action = parsePythonAction(cursor, context);
    return { clauses: [], action, span: cursor.spanFrom(start) };
  }
  const clauses = parseExpression(cursor, context);
  const action =
    cursor.accept('semicolon') === undefined
      ? ({ kind: 'allow' } as const)
      : parsePythonAction(cursor, context);
  return { clauses, action, span: cursor.spanFrom(start) };
}

function parseExpression(cursor: TokenCursor, context: PythonContext): readonly Clause[] {
  const clauses = [parseClause(cursor, context)];
  while (cursor.accept('or') !== undefined) clauses.push(parseClause(cursor, context));
  return clauses;
}

function parseClause(cursor: TokenCursor, context: PythonContext): Clause {
  const atoms = [parseAtom(cursor, context)];
  while (cursor.accept('and') !== undefined) atoms.push(parseAtom(cursor, context));
  return atoms;
}

function parseAtom(cursor: TokenCursor, { architecture }: PythonContext): Atom {
  const argument = cursor.expect(
    'argument',
    'invalid-argument',
    'an argument',
    "write 'argN OPERATOR CONSTANT', as in 'arg1 == 4'",
  );
  const operator = cursor.expect(
    'operator',
    'invalid-operator',
    'an operator',
    'operators are == != < <= > >= & in',
  );
  const value = parsePythonValue(cursor, architecture);
  const index = Number(argument.text.slice(3));
  if (index >= ARGUMENT_LIMIT) {
    cursor.findings.abandon('invalid-argument', {
      place: argument.place,
      message: `there is no ${argument.text}`,
      remedy: 'arguments are arg0 to arg5',
    });
  }
  if (index === ARGUMENT_LIMIT - 1) {
    cursor.findings.warn('argument-unloadable', {
      place: argument.place,
      message: `the kernel refuses a program that reads ${argument.text}`,
      remedy: 'arguments are arg0 to arg5',
    });
  }
  const span = cursor.spanFrom(argument.place);
  return { argument: index, operator: operator.text as Operator, value, span };
}
