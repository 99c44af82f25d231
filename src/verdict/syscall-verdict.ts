import type { Action, Atom, Policy } from '../seccomp/policy.js';
import {
  type PossibleAction,
  type PossibleActions,
  possibleActions,
} from '../seccomp/possible/possible-actions.js';
import type { MadeSyscall } from './made-syscalls.js';
import { hex, type PolicyTexts, PolicyWords, placeOf } from './policy-words.js';

/** `depends`: on an argument that nobody knows, on the C library, or on whether the call is made at all. */
export type VerdictKind = 'allowed' | 'refused' | 'depends';

export interface SyscallVerdict {
  readonly kind: VerdictKind;
  /** Of `refused`: whether its maker gets an error and goes on. */
  readonly isSurvived: boolean;
  /** Why, in the policy's own words, and what comes of it; empty for what is allowed. */
  readonly why: string;
}

const ALLOWED: SyscallVerdict = { kind: 'allowed', isSurvived: true, why: '' };
const SHOWN_CLAUSES = 4;

const passes = ({ kind }: Action): boolean => kind === 'allow' || kind === 'log';

/** Judges system calls of which some arguments are not known. */
export class SyscallJudge {
  readonly policy: Policy;
  readonly #words: PolicyWords;
  readonly #known = new Map<string, SyscallVerdict>();

  constructor(policy: Policy, texts: PolicyTexts) {
    this.policy = policy;
    this.#words = new PolicyWords(texts, policy.architecture);
  }

  /** @throws TooManyCasesError */
  judge(made: MadeSyscall): SyscallVerdict {
    const key = keyOf(made);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const verdict = this.#judge(made);
    this.#known.set(key, verdict);
    return verdict;
  }

  #judge(made: MadeSyscall): SyscallVerdict {
    const variants = [made, ...made.instead].map((each) => this.#judgeOne(each));
    const [first = ALLOWED] = variants;
    if (variants.some(({ kind }) => kind !== first.kind)) {
      const said = [made, ...made.instead].map(
        ({ text }, index) => `${text} is ${saidOf(variants[index] ?? first)}`,
      );
      return { kind: 'depends', isSurvived: false, why: `on the C library: ${said.join('; ')}` };
    }
    if (first.kind !== 'refused' || made.times === 'once') return first;
    return { ...first, kind: 'depends', why: `it is not always made, and if it is: ${first.why}` };
  }

  #judgeOne(made: MadeSyscall): SyscallVerdict {
    const possible = possibleActions(this.policy, made.number, made.words);
    const passing = possible.actions.filter(({ action }) => passes(action));
    const refusing = possible.actions.filter(({ action }) => !passes(action));
    if (refusing.length === 0) return ALLOWED;
    if (passing.length > 0) {
      return { kind: 'depends', isSurvived: false, why: this.#condition(possible) };
    }
    return {
      kind: 'refused',
      isSurvived: refusing.every(({ action }) => action.kind === 'errno'),
      why: `${this.#reason(made, possible)}; ${this.#effects(refusing)}`,
    };
  }

  #effects(refusing: readonly PossibleAction[]): string {
    return [...new Set(refusing.map(({ action }) => this.#words.effect(action)))].join(', or ');
  }

  /** Which arguments decide, and how. */
  #condition({ actions }: PossibleActions): string {
    const decided = actions.map(({ action, by, unknown, clause, filter }) => {
      const span = clause?.[0]?.span ?? filter?.span;
      const where = span === undefined ? '' : ` (${placeOf(span)})`;
      const when = unknown.map((atom) => this.#words.atom(atom)).join(' && ');
      const effect = this.#words.effect(action);
      if (by === 'otherwise' || when === '') return `else ${effect}${where}`;
      return `if ${when}, ${effect}${where}`;
    });
    const tested = actions.flatMap(({ unknown }) => unknown.map(({ argument }) => argument));
    const names = [...new Set(tested)].sort().map((argument) => `arg${argument}`);
    return `on ${names.join(' and ')}, which nobody knows: ${decided.join('; ')}`;
  }

  #reason(made: MadeSyscall, { rules, actions, failed }: PossibleActions): string {
    if (rules === undefined) return `the policy has no rule for ${made.name}`;
    const deciding = actions.find(({ by, action }) => by === 'filter' && !passes(action));
    if (deciding?.filter !== undefined) {
      return `${placeOf(deciding.filter.span)} refuses it`;
    }
    const unmet = failed.filter(({ filter }) => passes(filter.action)).map(({ atom }) => atom);
    if (unmet.length === 0) return `none of the rules for ${made.name} can hold`;
    return this.#onlyValues(unmet) ?? this.#unmet(unmet, made);
  }

  /** "line 9 allows MADV_DONTNEED only": where every clause wants another value of the same argument. */
  #onlyValues(unmet: readonly Atom[]): string | undefined {
    const [first] = unmet;
    const isList = unmet.every(
      ({ argument, operator }) => argument === first?.argument && operator === '==',
    );
    if (!isList) return undefined;
    const byPlace = new Map<string, string[]>();
    for (const atom of unmet) {
      const place = placeOf(atom.span);
      byPlace.set(place, [...(byPlace.get(place) ?? []), this.#words.constant(atom)]);
    }
    const said = [...byPlace].map(([place, values]) => `${place} allows ${listed(values)}`);
    return `${said.join(', ')} only`;
  }

  #unmet(unmet: readonly Atom[], made: MadeSyscall): string {
    const said = unmet.slice(0, SHOWN_CLAUSES).map((atom) => {
      const word = made.words[atom.argument];
      const is = word === undefined ? '' : `, and it is ${hex(word)}`;
      return `${placeOf(atom.span)} wants ${this.#words.atom(atom)}${is}`;
    });
    const rest = unmet.length - said.length;
    return said.join('; ') + (rest > 0 ? `; and ${rest} more clauses fail` : '');
  }
}

function listed(values: readonly string[]): string {
  const unique = [...new Set(values)];
  const shown = unique.slice(0, SHOWN_CLAUSES).join(', ');
  const rest = unique.length - SHOWN_CLAUSES;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

function saidOf({ kind, why }: SyscallVerdict): string {
  if (kind === 'allowed') return 'allowed';
  return kind === 'refused' ? `refused (${why})` : `decided ${why}`;
}

function keyOf({ number, words, times, instead }: MadeSyscall): string {
  const others = instead.map(keyOf).join('/');
  return `${number} ${times} ${words.map((word) => word?.toString(16) ?? '').join(',')} ${others}`;
}
