import { createHash } from 'node:crypto';
import { type CallSpec, type EventSpec, entryTag, type HalContract } from './define.js';

/** Field numbers of `Turn`. */
export const TURN = { number: 1, timeNs: 2, event: 3, calls: 4, failure: 5 } as const;
/** Field number of the error in every call's message. */
export const CALL_ERROR_FIELD = 2047;

/**
 * The contracts of one trace, each with its slot. The slots number the entries in `Call` and `Event`; a trace carries
 * its list, so another program may have another order.
 */
export class TurnSchema {
  readonly contracts: readonly HalContract[];
  private readonly slots = new Map<HalContract, number>();
  private readonly byTag = new Map<number, CallSpec | EventSpec>();

  /** @param contracts the first has slot 0; names must differ. */
  constructor(contracts: readonly HalContract[]) {
    this.contracts = contracts;
    const names = new Set<string>();
    contracts.forEach((contract, slot) => {
      if (names.has(contract.halName)) {
        throw new TypeError(`two contracts are named "${contract.halName}"`);
      }
      names.add(contract.halName);
      this.slots.set(contract, slot);
      for (const spec of [...contract.calls, ...contract.events]) {
        this.byTag.set(entryTag(slot, spec.index), spec);
      }
    });
  }

  slotOf(contract: HalContract): number {
    const slot = this.slots.get(contract);
    if (slot === undefined) {
      throw new TypeError(`the contract ${contract.halName} is not in this program's list`);
    }
    return slot;
  }

  tagOf(spec: CallSpec | EventSpec): number {
    return entryTag(this.slotOf(spec.contract), spec.index);
  }

  callOfTag(tag: number): CallSpec | undefined {
    const spec = this.byTag.get(tag);
    return spec?.kind === 'call' ? spec : undefined;
  }

  eventOfTag(tag: number): EventSpec | undefined {
    const spec = this.byTag.get(tag);
    return spec?.kind === 'event' ? spec : undefined;
  }
}

/** One entry of a contract, in words: what fingerprints and comparisons are made of. */
export interface EntrySummary {
  readonly name: string;
  readonly index: number;
  readonly kind: 'call' | 'event';
  readonly fields: readonly string[];
}

export interface ContractSummary {
  readonly name: string;
  readonly fingerprint: string;
  readonly entries: readonly EntrySummary[];
}

export function summarize(contract: HalContract): ContractSummary {
  const entries = [...contract.calls, ...contract.events]
    .map((spec): EntrySummary => {
      const fields = spec.kind === 'call' ? [...spec.args, ...spec.results] : spec.fields;
      return {
        name: spec.name,
        index: spec.index,
        kind: spec.kind,
        fields: fields.map((field) => `${field.number} ${field.wireName}: ${field.codec.name}`),
      };
    })
    .sort((left, right) => left.index - right.index);
  const name = contract.halName;
  return {
    name,
    // When it is asked for: a replay compares the entries, and need not load a hash function.
    get fingerprint() {
      const hash = createHash('sha256').update(JSON.stringify([name, entries]));
      return hash.digest('hex').slice(0, 16);
    },
    entries,
  };
}

/** What keeps a trace with the `recorded` contract from being replayed by the `present` one; empty if nothing. */
export function incompatibilities(recorded: ContractSummary, present: ContractSummary): string[] {
  const problems: string[] = [];
  for (const entry of recorded.entries) {
    const now = present.entries.find((candidate) => candidate.index === entry.index);
    const label = `${recorded.name}.${entry.name}`;
    if (now === undefined) problems.push(`${label} is gone`);
    else if (now.name !== entry.name) {
      problems.push(`entry ${entry.index} was ${label} and is now ${present.name}.${now.name}`);
    } else if (now.kind !== entry.kind) {
      problems.push(`${label} was ${article(entry.kind)} and is now ${article(now.kind)}`);
    } else {
      for (const field of entry.fields) {
        if (!now.fields.includes(field)) problems.push(`${label} lacks the field "${field}"`);
      }
      for (const field of now.fields) {
        if (!entry.fields.includes(field)) problems.push(`${label} has a new field "${field}"`);
      }
    }
  }
  return problems;
}

function article(kind: 'call' | 'event'): string {
  return kind === 'event' ? 'an event' : 'a call';
}
