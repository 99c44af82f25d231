import type { Architecture } from '../architecture.js';
import type { Action, Clause } from '../policy.js';
import { parseCAtom } from './c-atom.js';
import { parseCConstant } from './c-constant.js';
import type { Findings } from './findings.js';
import type { Slice } from './slice.js';

/** What stands after a syscall's name in the C dialect. */
export type CRule =
  | { readonly kind: 'always'; readonly action: Action }
  /** Allowed if a clause holds, `otherwise` if none does. */
  | { readonly kind: 'filtered'; readonly clauses: readonly Clause[]; readonly otherwise: Action };

export interface CRuleContext {
  readonly architecture: Architecture;
  readonly findings: Findings;
  readonly defaultAction: Action;
}

/** Parses a stripped, non-empty rule. Abandons the statement if it is none. */
export function parseCRule(rule: Slice, context: CRuleContext): CRule {
  if (rule.text === '1') return { kind: 'always', action: { kind: 'allow' } };
  if (rule.text.startsWith('return')) {
    return { kind: 'always', action: parseReturn(rule, context) };
  }
  const [expression, ret, ignored] = rule.words(';');
  const clauses = expression === undefined ? [] : parseExpression(expression, context);
  if (expression === undefined) {
    context.findings.warn('empty-expression', {
      place: rule.place,
      message: 'no comparison: this syscall is never allowed',
      remedy: "write '1' to allow it, or remove the line",
    });
  }
  if (ignored !== undefined) {
    context.findings.warn('ignored-text', {
      place: ignored.place,
      message: `ignored: '${ignored.text}'`,
      remedy: "remove what follows the second ';'",
    });
  }
  const otherwise = ret === undefined ? context.defaultAction : parseReturn(ret, context);
  return { kind: 'filtered', clauses, otherwise };
}

function parseExpression(expression: Slice, context: CRuleContext): readonly Clause[] {
  const { architecture, findings } = context;
  return expression
    .splitAt('||')
    .map((group) => group.splitAt('&&').map((atom) => parseCAtom(atom, architecture, findings)));
}

/** `return`, or `return CONST` with anything after it. The keyword needs no end: `returnfoo` is one too. */
function parseReturn(part: Slice, context: CRuleContext): Action {
  const { findings, defaultAction } = context;
  const [keyword, value, ignored] = part.words(' ');
  if (keyword === undefined || !keyword.text.startsWith('return')) {
    return findings.abandon('invalid-return', {
      place: keyword?.place ?? part.place,
      message:
        keyword === undefined ? "'return' is missing" : `'${keyword.text}' instead of 'return'`,
      remedy: "after ';' comes 'return ERRNO' or 'return', separated by spaces",
    });
  }
  if (keyword.text !== 'return') {
    findings.warn('return-spelling', {
      place: keyword.place,
      message: `'${keyword.text}' counts as 'return'${value === undefined ? ', which without a value is the default action' : ''}`,
      remedy: "separate 'return' and its value with spaces",
    });
  }
  if (value === undefined) {
    if (defaultAction.kind === 'log') {
      findings.abandon('invalid-return', {
        place: part.place,
        message: "'return' without a value is not possible with the default action log",
        remedy: 'give it an errno',
      });
    }
    return defaultAction;
  }
  if (ignored !== undefined) {
    findings.warn('ignored-text', {
      place: ignored.place,
      message: `ignored: '${ignored.text}'`,
      remedy: 'remove what follows the errno',
    });
  }
  return parseErrno(value, context);
}

/** The value becomes an int, -1 of which is the mark of a fault, and its low 16 bits the errno. */
function parseErrno(value: Slice, { architecture, findings }: CRuleContext): Action {
  const word = parseCConstant(value, architecture, findings);
  if (BigInt.asIntN(32, word) === -1n) {
    findings.abandon('invalid-errno', {
      place: value.place,
      message: `'${value.text}' is no errno`,
      remedy: 'write a positive number or a name, as in EPERM',
    });
  }
  const errno = Number(word & 0xffffn);
  if (word > 0xffffn) {
    findings.warn('errno-truncated', {
      place: value.place,
      message: `only the low 16 bits of ${value.text} are used: ${errno}`,
      remedy: `write ${errno} if you mean it`,
    });
  }
  return { kind: 'errno', errno };
}
