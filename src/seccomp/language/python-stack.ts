import type { Atom, Filter } from '../policy.js';

/**
 * How deep minijail's compiler walks before Python's recursion limit of 1000 stops it (measured, Python 3.11): over
 * comparisons, and over the 32-bit tests they are lowered to.
 */
const ATOM_DEPTH = 985;
const TEST_DEPTH = 987;

interface Block {
  yes: Block | undefined;
  no: Block | undefined;
}

/** What a comparison becomes: its first test, given where it leads to. Undefined is an action. */
type Lowering = (atom: Atom, yes: Block | undefined, no: Block | undefined) => Block;

/** Whether minijail's compiler runs out of Python's stack on the filters of a syscall. */
export function overflowsPythonStack(filters: readonly Filter[], wordBits: 32 | 64): boolean {
  const atoms = filters.flatMap(({ clauses }) => clauses.flat()).length;
  // No comparison becomes more than three tests: most filters need no walk.
  if (atoms * 3 <= TEST_DEPTH) return false;
  if (depthOf(chain(filters, asOneBlock)) > ATOM_DEPTH) return true;
  return depthOf(chain(filters, wordBits === 32 ? asOneBlock : asTests)) > TEST_DEPTH;
}

/** The compiler links backwards: filters from the last, clauses and the comparisons in them from the first. */
function chain(filters: readonly Filter[], lower: Lowering): Block | undefined {
  let no: Block | undefined;
  for (const { clauses } of filters.toReversed()) {
    for (const clause of clauses) {
      let yes: Block | undefined;
      for (const atom of clause) {
        yes = isNegated(atom) ? lower(atom, no, yes) : lower(atom, yes, no);
      }
      no = yes;
    }
  }
  return no;
}

/** These are the opposite of what the kernel can test. */
function isNegated({ operator }: Atom): boolean {
  return operator === '!=' || operator === '<=' || operator === '<' || operator === 'in';
}

const asOneBlock: Lowering = (_atom, yes, no) => ({ yes, no });

const asTests: Lowering = (atom, yes, no) => {
  const low = { yes, no };
  const high = atom.operator === 'in' ? ~atom.value >> 32n : atom.value >> 32n;
  switch (atom.operator) {
    case '==':
    case '!=':
      return { yes: low, no };
    case '&':
    case 'in':
      return BigInt.asUintN(32, high) === 0n ? low : { yes, no: low };
    default:
      return { yes, no: high === 0n ? low : { yes: low, no } };
  }
};

/** The deepest point of a walk that takes `yes` before `no` and each block once; without recursion of our own. */
function depthOf(root: Block | undefined): number {
  if (root === undefined) return 0;
  const seen = new Set([root]);
  const path = [{ block: root, step: 0 }];
  let deepest = 0;
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    deepest = Math.max(deepest, path.length);
    const next = [top.block.yes, top.block.no][top.step];
    if (top.step === 2) path.pop();
    top.step += 1;
    if (next !== undefined && !seen.has(next)) {
      seen.add(next);
      path.push({ block: next, step: 0 });
    }
  }
  return deepest;
}
