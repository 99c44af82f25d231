import type { HalContract } from '../src/hal/contract/define.js';
import { summarize } from '../src/hal/contract/schema.js';

/** One line for each entry that any contract has or had, with its number and its fields. */
export function lockLines(contracts: readonly HalContract[]): string[] {
  return contracts.flatMap((contract) => {
    const { entries } = summarize(contract);
    return Object.values(contract.declaration).map((definition, index) => {
      const entry = entries.find((candidate) => candidate.index === index);
      const place = `${contract.halName} ${index}`;
      if (definition.kind === 'retired' || entry === undefined) return `${place} retired`;
      return `${place} ${entry.kind} ${entry.name}: ${entry.fields.join('; ')}`.trimEnd();
    });
  });
}

/**
 * What is locked and no longer holds. Contracts only grow: a number keeps its entry and its fields, or is retired, for
 * recordings outlive the code.
 */
export function lockProblems(locked: readonly string[], present: readonly string[]): string[] {
  const now = new Map(present.map((line) => [placeOf(line), line]));
  return locked.flatMap((line) => {
    const found = now.get(placeOf(line));
    if (found === line || found === `${placeOf(line)} retired`) return [];
    return [`locked:  ${line}\n  present: ${found ?? 'nothing'}`];
  });
}

function placeOf(line: string): string {
  return line.split(' ', 2).join(' ');
}
