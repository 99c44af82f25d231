import { median } from '../measure.js';
import type { CompilerFigures, PolicyFigures, Refusal } from './figures.js';

/** Of the others, the one that the goal for arguments names. */
export const BST = 'minijail BST';

export const GOALS = { weighted: 0.95, byArgument: 0.75, instructions: 1.1 } as const;

export type Measure = 'instructions' | 'weighted' | 'plain' | 'byArgument';

export interface WorstAndMedian {
  readonly worst: number;
  readonly worstPolicy: string;
  readonly median: number;
  readonly policies: number;
}

export function isRefused(figures: CompilerFigures | Refusal): figures is Refusal {
  return 'refused' in figures;
}

/** A peer's figures on a policy that it took. */
export function peerOf({ peers }: PolicyFigures, name: string): CompilerFigures | undefined {
  const figures = peers[name];
  return figures === undefined || isRefused(figures) ? undefined : figures;
}

/** Ours to theirs; undefined if one of them has no such figure. */
export function ratio(
  ours: CompilerFigures,
  theirs: CompilerFigures | undefined,
  measure: Measure,
): number | undefined {
  const [a, b] = [ours[measure], theirs?.[measure]];
  return a === null || b === null || b === undefined ? undefined : a / b;
}

/** The peer with the best weighted mean. */
export function bestPeer(
  figures: PolicyFigures,
): { readonly name: string; readonly figures: CompilerFigures } | undefined {
  const taken = Object.keys(figures.peers).flatMap((name) => {
    const own = peerOf(figures, name);
    return own === undefined ? [] : [{ name, figures: own }];
  });
  return taken.sort((a, b) => a.figures.weighted - b.figures.weighted)[0];
}

export function worstAndMedian(
  policies: readonly PolicyFigures[],
  ratioOf: (policy: PolicyFigures) => number | undefined,
): WorstAndMedian | undefined {
  const ratios = policies.flatMap((policy) => {
    const value = ratioOf(policy);
    return value === undefined ? [] : [{ name: policy.policy, value }];
  });
  const [worst] = ratios.toSorted((a, b) => b.value - a.value);
  if (worst === undefined) return undefined;
  return {
    worst: worst.value,
    worstPolicy: worst.name,
    median: median(ratios.map(({ value }) => value)),
    policies: ratios.length,
  };
}

export interface MissedGoal {
  readonly policy: string;
  readonly goal: keyof typeof GOALS;
  readonly ratio: number;
  readonly against: string;
}

export function missedGoals(policies: readonly PolicyFigures[]): MissedGoal[] {
  return policies.flatMap((figures) => {
    const best = bestPeer(figures);
    const missed: MissedGoal[] = [];
    const look = (goal: keyof typeof GOALS, against: string | undefined) => {
      if (against === undefined) return;
      const value = ratio(figures.halyard, peerOf(figures, against), goal);
      if (value === undefined || value <= GOALS[goal]) return;
      missed.push({ policy: figures.policy, goal, ratio: value, against });
    };
    look('weighted', best?.name);
    look('byArgument', BST);
    look('instructions', best?.name);
    return missed;
  });
}
