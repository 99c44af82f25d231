import { checkArguments } from '../compile/check-arguments.js';
import { lowerRules } from '../compile/lower-rules.js';
import { assumeWord, type RuleState } from '../compile/rule-state.js';
import type { Action, Policy } from '../policy.js';
import { ARCH_WORD, DATA_WORDS, NUMBER_WORD, type SeccompData } from '../seccomp-data.js';
import { actionOf, foreignActionOf, formatAction, returnValueOf } from '../verdict.js';
import { formatRegion } from './format-region.js';
import { type PairResult, PairWalk, type Region } from './pair-walk.js';
import { SearchLimitError } from './word-solver.js';

/** Syscalls that two policies treat differently, in one and the same way. */
export interface PolicyDifference {
  /** Undefined: every syscall without rules in either policy, or of another architecture. */
  readonly number: number | undefined;
  readonly name: string;
  readonly from: Action;
  readonly to: Action;
  /** The arguments, a line for each set of them. */
  readonly where: readonly string[];
  /** Whether `where` names all of them. */
  readonly isComplete: boolean;
  /** Data that shows it. */
  readonly witness: SeccompData;
}

export interface PolicyDiff {
  readonly differences: readonly PolicyDifference[];
  /** Names of syscalls whose rules are too entangled to be compared for all arguments. */
  readonly undecided: readonly string[];
  /** Whether all that A allows is allowed by B; undefined if that could not be found out. */
  readonly aWithinB: boolean | undefined;
  readonly bWithinA: boolean | undefined;
}

/** Policies of two architectures have no syscalls in common that could be compared. */
export class ArchitectureMismatchError extends Error {
  override readonly name = 'ArchitectureMismatchError';
  readonly code = 'ARCHITECTURE_MISMATCH';

  constructor(a: string, b: string) {
    super(
      `a policy for ${a} cannot be compared with one for ${b}: parse both for one architecture`,
    );
  }
}

function stateOf(policy: Policy, number: number): RuleState {
  const rules = policy.syscalls.get(number);
  if (rules === undefined) {
    return { filters: [], otherwise: returnValueOf(policy.defaultAction) };
  }
  const { auditArch, wordBits } = policy.architecture;
  const state = assumeWord(lowerRules(rules, wordBits), NUMBER_WORD, number);
  return assumeWord(state, ARCH_WORD, auditArch);
}

function witnessOf(policy: Policy, number: number, region: Region): SeccompData {
  const data = new Uint32Array(DATA_WORDS);
  data[NUMBER_WORD] = number;
  data[ARCH_WORD] = policy.architecture.auditArch;
  for (const { word, example } of region.sets) data[word] = example;
  return data;
}

function nameOf(a: Policy, b: Policy, number: number): string {
  const rules = a.syscalls.get(number) ?? b.syscalls.get(number);
  return rules?.name ?? a.architecture.syscallNames.get(number) ?? `syscall ${number}`;
}

/** A number that neither policy has rules for. */
function otherNumber(a: Policy, b: Policy): number {
  const isFree = (number: number) => !a.syscalls.has(number) && !b.syscalls.has(number);
  const known = [...a.architecture.syscallNames.keys()].find(isFree);
  if (known !== undefined) return known;
  let number = 0;
  while (!isFree(number)) number++;
  return number;
}

function differencesOf(
  a: Policy,
  b: Policy,
  number: number,
  result: PairResult,
): PolicyDifference[] {
  const byActions = new Map<string, Region[]>();
  for (const region of result.regions) {
    const key = `${region.from} ${region.to}`;
    byActions.set(key, [...(byActions.get(key) ?? []), region]);
  }
  return [...byActions.values()].flatMap((regions) => {
    const [first] = regions;
    if (first === undefined) return [];
    return [
      {
        number,
        name: nameOf(a, b, number),
        from: actionOf(first.from),
        to: actionOf(first.to),
        where: regions.map((region) => formatRegion(region, a.architecture.wordBits)),
        isComplete: result.isComplete,
        witness: witnessOf(a, number, first),
      },
    ];
  });
}

/** The differences that no syscall's rules make. */
function generalDifferences(a: Policy, b: Policy): PolicyDifference[] {
  const general = (name: string, from: Action, to: Action, number: number, auditArch: number) => {
    if (returnValueOf(from) === returnValueOf(to)) return [];
    const witness = new Uint32Array(DATA_WORDS);
    witness[NUMBER_WORD] = number;
    witness[ARCH_WORD] = auditArch;
    const where = ['any arguments'];
    return [{ number: undefined, name, from, to, where, isComplete: true, witness }];
  };
  const { auditArch } = a.architecture;
  const other = otherNumber(a, b);
  return [
    ...general('all other syscalls', a.defaultAction, b.defaultAction, other, auditArch),
    // One bit off is no architecture of these.
    ...general(
      'syscalls of other architectures',
      foreignActionOf(a),
      foreignActionOf(b),
      0,
      (auditArch ^ 0x1000) >>> 0,
    ),
  ];
}

function isWithin(
  differences: readonly PolicyDifference[],
  allows: (difference: PolicyDifference) => readonly [Action, Action],
  isUndecided: boolean,
): boolean | undefined {
  const isOutside = differences.some((difference) => {
    const [own, other] = allows(difference);
    return own.kind === 'allow' && other.kind !== 'allow';
  });
  return isOutside ? false : isUndecided ? undefined : true;
}

/**
 * What two policies decide differently, for all syscalls and all arguments. It is exact: what is not listed is treated
 * alike by both, but for the syscalls in `undecided`.
 * @throws {ArchitectureMismatchError} for policies of two architectures
 * @throws {CompileError} `ARGUMENT_NOT_LOADABLE` for one that no kernel takes
 */
export function diffPolicies(a: Policy, b: Policy): PolicyDiff {
  if (a.architecture.name !== b.architecture.name) {
    throw new ArchitectureMismatchError(a.architecture.name, b.architecture.name);
  }
  checkArguments(a);
  checkArguments(b);
  const differences: PolicyDifference[] = [];
  const undecided: string[] = [];
  const numbers = new Set([...a.syscalls.keys(), ...b.syscalls.keys()]);
  for (const number of [...numbers].sort((x, y) => x - y)) {
    try {
      const pair = { a: stateOf(a, number), b: stateOf(b, number) };
      differences.push(...differencesOf(a, b, number, new PairWalk().compare(pair)));
    } catch (error) {
      if (!(error instanceof SearchLimitError)) throw error;
      undecided.push(nameOf(a, b, number));
    }
  }
  differences.push(...generalDifferences(a, b));
  const isUndecided = undecided.length > 0;
  return {
    differences,
    undecided,
    aWithinB: isWithin(differences, ({ from, to }) => [from, to], isUndecided),
    bWithinA: isWithin(differences, ({ from, to }) => [to, from], isUndecided),
  };
}

/** A difference in a line, as `diff` prints it. */
export function formatDifference({ name, from, to, where, isComplete }: PolicyDifference): string {
  const more = isComplete ? '' : ' and more';
  return `${name}: ${formatAction(from)} → ${formatAction(to)} for ${where.join('; ')}${more}`;
}
