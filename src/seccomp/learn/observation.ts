import type { ArchitectureName } from '../architecture.js';

/** A syscall that was seen, or that is declared to happen. */
export interface Observation {
  /** On the architecture where it was seen, or on each that has it. */
  readonly name: string | Readonly<Partial<Record<ArchitectureName, string>>>;
  /**
   * What is known of the arguments, by their place in seccomp_data: a constant's name, names joined by `|`, or a number.
   * What is missing was a pointer, a descriptor, or not said.
   */
  readonly args: ReadonlyMap<number, ObservedValue>;
  readonly count: number;
  /** Where its name belongs, if the run does not say. */
  readonly architecture?: ArchitectureName;
}

export interface ObservedValue {
  readonly text: string;
  /** Whether it chooses what the syscall does: it came as a constant's name, and not as some number. */
  readonly chooses: boolean;
}

/** All of one source. */
export interface ObservedRun {
  readonly observations: readonly Observation[];
  /** Where the names belong; undefined if each observation says so, or has all. */
  readonly architecture: ArchitectureName | undefined;
  /** What could not be used, in words. */
  readonly remarks: readonly string[];
}

/** A text that cannot be learned from: no line of it is what it should be. */
export class LearnInputError extends Error {
  override readonly name = 'LearnInputError';
  readonly code = 'LEARN_INPUT';
}

/** Joins what was seen several times. */
export class ObservationTally {
  readonly #byKey = new Map<string, Observation>();

  add(
    name: Observation['name'],
    args: Observation['args'],
    origin: Pick<Observation, 'architecture'> = {},
  ): void {
    const texts = [...args].map(([index, { text, chooses }]) => [index, text, chooses]);
    const key = JSON.stringify([name, texts, origin.architecture]);
    const known = this.#byKey.get(key)?.count ?? 0;
    this.#byKey.set(key, { ...origin, name, args, count: known + 1 });
  }

  get observations(): readonly Observation[] {
    return [...this.#byKey.values()];
  }
}
