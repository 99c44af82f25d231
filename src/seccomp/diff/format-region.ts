import { formatNumber } from '../explain/constant-names.js';
import type { Region, WordSet } from './pair-walk.js';
import type { WordConstraint } from './word-solver.js';

function formatPart({ low, high, clear, anyOf }: WordConstraint): string {
  const from = formatNumber(BigInt(low));
  const isAll = low === 0 && high === 0xffffffff;
  const range = low === high ? from : isAll ? 'any' : `${from}..${formatNumber(BigInt(high))}`;
  const bits = [
    ...(clear === 0 ? [] : [`no bit of ${formatNumber(BigInt(clear))}`]),
    ...anyOf.map((mask) => `a bit of ${formatNumber(BigInt(mask))}`),
  ];
  return bits.length === 0 ? range : `${isAll ? '' : `${range} with `}${bits.join(' and ')}`;
}

/** Neighbouring ranges in one. */
function joined(parts: readonly WordConstraint[]): WordConstraint[] {
  const result: WordConstraint[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    const isPlain = part.clear === 0 && part.anyOf.length === 0;
    const follows =
      last && last.clear === 0 && last.anyOf.length === 0 && last.high + 1 === part.low;
    if (last && follows && isPlain) result[result.length - 1] = { ...last, high: part.high };
    else result.push(part);
  }
  return result;
}

function formatSet({ parts }: WordSet): string {
  return joined(parts).map(formatPart).join(' or ');
}

function isZero({ parts }: WordSet): boolean {
  return parts.length === 1 && parts[0]?.low === 0 && parts[0].high === 0;
}

function argumentName(word: number): string {
  return word < 4 ? 'ip' : `arg${(word - 4) >> 1}`;
}

/** The arguments of a region, one after the other; a high half is named only where it is not just 0. */
export function formatRegion({ sets }: Region, wordBits: 32 | 64): string {
  const texts: string[] = [];
  for (const set of sets.toSorted((x, y) => x.word - y.word)) {
    const isHigh = set.word % 2 === 1;
    const other = sets.find(({ word }) => word === (set.word ^ 1));
    if (isHigh && other !== undefined && isZero(set)) continue;
    const lowIsAll = !isHigh && (wordBits === 32 || (other !== undefined && isZero(other)));
    const half = isHigh ? '.high' : lowIsAll ? '' : '.low';
    texts.push(`${argumentName(set.word)}${half} = ${formatSet(set)}`);
  }
  return texts.length === 0 ? 'any arguments' : texts.join(', ');
}
