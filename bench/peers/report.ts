import type { CompilerFigures, PolicyFigures, Refusal } from './figures.js';
import {
  bestPeer,
  isRefused,
  type Measure,
  missedGoals,
  peerOf,
  ratio,
  type WorstAndMedian,
  worstAndMedian,
} from './ratios.js';

/** What was measured on one architecture. */
export interface ArchitectureFigures {
  readonly architecture: string;
  readonly policies: readonly PolicyFigures[];
  /** Policies that libminijail's parser does not take as they are written, by name, with its reason. */
  readonly refusedAsWritten?: Readonly<Record<string, string>>;
}

const MEASURES: readonly (readonly [Measure, string])[] = [
  ['instructions', 'length'],
  ['weighted', 'weighted'],
  ['plain', 'each once'],
  ['byArgument', 'by argument'],
];

const round = (value: number | undefined | null, digits: number) => value?.toFixed(digits) ?? '-';

function line(name: string, cells: readonly string[], note = ''): string {
  return `  ${name.padEnd(16)}${cells.map((cell) => cell.padStart(12)).join('')}  ${note}`.trimEnd();
}

function peerLine(name: string, ours: CompilerFigures, theirs: CompilerFigures | Refusal): string {
  if (isRefused(theirs)) return `  ${name.padEnd(16)}  no program: ${theirs.refused}`;
  const cells = MEASURES.map(
    ([measure]) =>
      `${round(theirs[measure], measure === 'instructions' ? 0 : 2)} ${round(ratio(ours, theirs, measure), 2).padStart(5)}`,
  );
  const { shortened } = theirs;
  return line(name, cells, shortened && `without some rules of ${shortened.join(', ')}`);
}

function policyText(figures: PolicyFigures): string {
  const { policy, allowed, filtered, bound, halyard, peers } = figures;
  const cells = MEASURES.map(
    ([measure]) => `${round(halyard[measure], measure === 'instructions' ? 0 : 2)}      `,
  );
  const toBound = `${round(halyard.weighted / bound, 3)} times the bound`;
  return [
    `${policy}: ${allowed} allowed, ${filtered} of them by argument`,
    line('halyard', cells, toBound),
    ...Object.entries(peers).map(([name, theirs]) => peerLine(name, halyard, theirs)),
  ].join('\n');
}

function summaryCell(found: WorstAndMedian | undefined): string {
  return found === undefined ? '-' : `${found.worst.toFixed(2)} / ${found.median.toFixed(2)}`;
}

function summary(policies: readonly PolicyFigures[]): string[] {
  const names = Object.keys(policies[0]?.peers ?? {});
  const row = (name: string, of: (policy: PolicyFigures) => CompilerFigures | undefined) => {
    const cells = MEASURES.map(([measure]) =>
      summaryCell(worstAndMedian(policies, (policy) => ratio(policy.halyard, of(policy), measure))),
    ).map((cell) => cell.padStart(14));
    const count = policies.filter((policy) => of(policy) !== undefined).length;
    return `  ${name.padEnd(16)}${cells.join('')}  ${count} policies`;
  };
  const bound = worstAndMedian(policies, ({ halyard, bound }) => halyard.weighted / bound);
  return [
    `  ${''.padEnd(16)}${MEASURES.map(([, title]) => title.padStart(14)).join('')}`,
    ...names.map((name) => row(name, (policy) => peerOf(policy, name))),
    row('best weighted', (policy) => bestPeer(policy)?.figures),
    `  ${'bound'.padEnd(16)}${''.padStart(14)}${summaryCell(bound).padStart(14)}`,
  ];
}

export function reportText({
  architecture,
  policies,
  refusedAsWritten,
}: ArchitectureFigures): string {
  const missed = missedGoals(policies).map(
    ({ policy, goal, ratio, against }) =>
      `  ${policy}: ${goal} ${ratio.toFixed(3)} against ${against}`,
  );
  const refused = Object.entries(refusedAsWritten ?? {});
  const refusedLines = refused.map(([policy, why]) => `  ${policy}: ${why}`);
  return [
    `== ${architecture}: executed instructions, the return counted; behind a peer's figure ours to it`,
    line(
      '',
      MEASURES.map(([, title]) => title),
    ),
    ...policies.map(policyText),
    '',
    `== ${architecture}: ours to theirs, worst / median`,
    ...summary(policies),
    '',
    `goals missed: ${missed.length === 0 ? 'none' : ''}`.trimEnd(),
    ...missed,
    ...(refusedAsWritten === undefined
      ? []
      : [
          `libminijail's parser refuses ${refused.length} of ${policies.length} as they are written`,
          ...refusedLines,
        ]),
    '',
  ].join('\n');
}
