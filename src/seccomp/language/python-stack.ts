import type { Filter } from '../policy.js';

/** Comparisons of 64-bit words become two blocks, of 32-bit words one. */
const BLOCK_LIMIT = 980;

/** Whether minijail's compiler runs out of Python's stack on filters: it walks the chain of comparisons recursively. */
export function overflowsPythonStack(filters: readonly Filter[], wordBits: 32 | 64): boolean {
  const atoms = filters.reduce(
    (sum, { clauses }) => sum + clauses.reduce((count, clause) => count + clause.length, 0),
    0,
  );
  return atoms * (wordBits / 32) > BLOCK_LIMIT;
}
