/** A value that is looked for, or a range of them between others. */
export interface Item {
  readonly isSingle: boolean;
  readonly target: string;
  readonly weight: number;
}

/**
 * The least comparisons (`==` and `<`) that any tree needs to find the target of each item, by weight: every tree is
 * tried. In the best one the value compared for equality is the heaviest that is left, so that a state is a range and the
 * number of values taken out of it.
 */
export function comparisonBound(items: readonly Item[]): number {
  const n = items.length;
  const costs = new Map<number, number>();
  const singlesOf = new Map<number, number[]>();
  const weight = (at: number) => items[at]?.weight ?? 0;
  const ranked = (first: number, last: number): number[] => {
    const key = first * n + last;
    const known = singlesOf.get(key);
    if (known !== undefined) return known;
    const singles: number[] = [];
    for (let at = first; at <= last; at++) if (items[at]?.isSingle) singles.push(at);
    singles.sort((a, b) => weight(b) - weight(a) || a - b);
    singlesOf.set(key, singles);
    return singles;
  };
  const cost = (first: number, last: number, holes: number): number => {
    const key = (first * n + last) * (n + 1) + holes;
    const known = costs.get(key);
    if (known !== undefined) return known;
    const ranking = ranked(first, last);
    const gone = new Set(ranking.slice(0, holes));
    const targets = new Set<string>();
    let total = 0;
    for (let at = first; at <= last; at++) {
      if (gone.has(at)) continue;
      targets.add(items[at]?.target ?? '');
      total += weight(at);
    }
    let best = targets.size < 2 ? 0 : Number.POSITIVE_INFINITY;
    if (targets.size > 1) {
      if (holes < ranking.length) best = total + cost(first, last, holes + 1);
      let left = 0;
      for (let at = first; at < last; at++) {
        if (gone.has(at)) left++;
        const split = total + cost(first, at, left) + cost(at + 1, last, holes - left);
        if (split < best) best = split;
      }
    }
    costs.set(key, best);
    return best;
  };
  return cost(0, n - 1, 0);
}
