/** Names further away than this share of their length are no help. */
const WORST_SHARE = 0.4;

/** `did you mean 'madvise'?`, or undefined if no known name is near. Case counts as half a change. */
export function suggestName(wrong: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestCost = Math.max(1, wrong.length * WORST_SHARE);
  for (const name of known) {
    if (Math.abs(name.length - wrong.length) > bestCost) continue;
    const cost = editCost(wrong, name, bestCost);
    if (cost < bestCost || (cost === bestCost && best === undefined)) {
      best = name;
      bestCost = cost;
    }
  }
  return best === undefined ? undefined : `did you mean '${best}'?`;
}

/** Changes, insertions, deletions and swaps of neighbours; gives up above `limit` and then answers Infinity. */
function editCost(from: string, to: string, limit: number): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 0; i < from.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j += 1) {
      const change = (row[j] ?? 0) + changeCost(from[i] ?? '', to[j] ?? '');
      const isSwap = i > 0 && j > 0 && from[i] === to[j - 1] && from[i - 1] === to[j];
      const swap = isSwap ? (before[j - 1] ?? 0) + 1 : change;
      next.push(Math.min(change, swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    if (Math.min(...next) > limit) return Number.POSITIVE_INFINITY;
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}

function changeCost(from: string, to: string): number {
  if (from === to) return 0;
  return from.toLowerCase() === to.toLowerCase() ? 0.5 : 1;
}
