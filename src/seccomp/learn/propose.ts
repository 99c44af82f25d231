import type { Architecture } from '../architecture.js';
import { PolicyEvaluator } from '../evaluate.js';
import { parsePolicy } from '../language/parse-policy.js';
import type { Dialect } from '../policy.js';
import { seccompData } from '../seccomp-data.js';
import { argumentValue } from '../word-text.js';
import { expressionFor } from './argument-rules.js';
import type { ObservedRun } from './observation.js';
import { type TranslatedObservation, translateRun } from './translate.js';

export interface Proposal {
  readonly architecture: Architecture;
  readonly dialect: Dialect;
  /** The policy. */
  readonly text: string;
  readonly rules: readonly ProposedRule[];
  /** Syscalls that were seen elsewhere and that this architecture has no counterpart of. */
  readonly missing: readonly string[];
}

export interface ProposedRule {
  readonly name: string;
  /** How often it was seen. */
  readonly count: number;
  /** As both dialects write it; `1` if arguments do not matter. */
  readonly expression: string;
}

export interface ProposalOptions {
  readonly architecture: Architecture;
  readonly dialect: Dialect;
  /** What it was learned from, for the policy's first line. */
  readonly source: string;
}

/** The smallest policy that allows what was seen, and is written with argument rules where these choose what is done. */
export function proposePolicy(run: ObservedRun, options: ProposalOptions): Proposal {
  const { architecture, dialect, source } = options;
  const { observations, missing } = translateRun(run, architecture);
  const byNumber = new Map<number, TranslatedObservation[]>();
  for (const observation of observations) {
    const number = architecture.syscalls.get(observation.name);
    if (number === undefined) continue;
    byNumber.set(number, [...(byNumber.get(number) ?? []), observation]);
  }
  const rules = [...byNumber].map(([number, seen]) => ({
    name: architecture.syscallNames.get(number) ?? '',
    count: seen.reduce((sum, { count }) => sum + count, 0),
    expression: expressionFor(seen, architecture),
  }));
  rules.sort((left, right) => (left.name < right.name ? -1 : 1));
  const text = [
    ...heading(rules, architecture, source),
    ...missing.map((name) => `# ${architecture.name} has no counterpart of ${name}.`),
    ...rules.map(({ name, expression }) => `${name}: ${expression}`),
    '',
  ].join('\n');
  const proposal = { architecture, dialect, text, rules, missing };
  assertAllowsAll(proposal, observations);
  return proposal;
}

function heading(
  rules: readonly ProposedRule[],
  { name }: Architecture,
  source: string,
): readonly string[] {
  const calls = rules.reduce((sum, { count }) => sum + count, 0);
  // A line's end in a name would be a rule of the policy, and a backslash at its end would swallow one.
  const safe = source.replace(/[^\x20-\x7e]/gu, '?').replaceAll('\\', '/');
  return [
    `# Learned from ${safe}, for ${name}: ${calls} calls of ${rules.length} syscalls.`,
    '# What was not seen is not allowed. Let the program do all that it can do before this is used.',
  ];
}

/** Holds by construction; a policy that is wrong here would kill what it was made for. */
function assertAllowsAll(
  { architecture, dialect, text }: Proposal,
  observations: readonly TranslatedObservation[],
): void {
  const { policy } = parsePolicy({ text, file: 'learned.policy', dialect, architecture });
  const evaluator = new PolicyEvaluator(policy);
  for (const { name, args } of observations) {
    const number = architecture.syscalls.get(name);
    if (number === undefined) continue;
    const words = [0, 1, 2, 3, 4, 5].map(
      (place) => argumentValue(args.get(place)?.text ?? '0', architecture.constants) ?? 0n,
    );
    const data = seccompData(architecture.auditArch, number, words);
    if (evaluator.actionOf(data).kind !== 'allow') {
      throw new Error(
        `the policy learned for ${architecture.name} refuses ${name}, which was seen`,
      );
    }
  }
}
