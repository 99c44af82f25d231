import type { Architecture } from '../architecture.js';
import type { Atom } from '../policy.js';
import type { CRule } from './c-rule.js';

/** BPF_LABELS_MAX of libminijail, which aborts beyond. */
export const LABEL_LIMIT = 512;

/** BPF_MAXINSNS of the kernel. */
export const INSTRUCTION_LIMIT = 4096;

/** Architecture check, load of the number, and the default action at the end. */
const FRAME_LENGTH = 5;

export type LabelFault = 'too-many' | 'duplicate';

/** What libminijail's program for a policy takes: its limits are part of what it accepts. */
export class CProgramSize {
  readonly #architecture: Architecture;
  readonly #labels = new Set<string>();
  readonly #placed = new Set<string>();
  #instructions = FRAME_LENGTH;

  constructor(architecture: Architecture) {
    this.#architecture = architecture;
  }

  get instructions(): number {
    return this.#instructions;
  }

  /** Counts a rule; answers what is wrong with its labels. */
  add(name: string, number: number, rule: CRule): LabelFault | undefined {
    this.#instructions += 2;
    if (rule.kind === 'always' && rule.action.kind === 'allow') return undefined;
    const placed = [name];
    // Entry label, and the return of an unconditional rule or of a filter that did not hold.
    this.#instructions += 2;
    if (rule.kind === 'filtered') {
      rule.clauses.forEach((clause, index) => {
        for (const atom of clause) this.#instructions += this.#atomLength(atom);
        placed.push(`${number}_${index}_end`);
      });
      // A jump and a label for each clause; the label and the return of success.
      this.#instructions += 2 * rule.clauses.length + 2;
      placed.push(`${number}_success`);
    }
    return this.#place(placed);
  }

  #place(labels: readonly string[]): LabelFault | undefined {
    const isDuplicate = labels.some((label) => this.#placed.has(label));
    for (const label of labels) {
      this.#labels.add(label);
      this.#placed.add(label);
    }
    if (this.#labels.size > LABEL_LIMIT) return 'too-many';
    return isDuplicate ? 'duplicate' : undefined;
  }

  /** Loads, comparisons, and the jump out of the clause. */
  #atomLength({ operator, value }: Atom): number {
    if (this.#architecture.wordBits === 32) return 3;
    const isOrder = operator !== '==' && operator !== '!=' && operator !== '&' && operator !== 'in';
    return isOrder && value >> 32n !== 0n ? 9 : 8;
  }
}
