import { ARCHITECTURE_NAMES } from '../../seccomp/architecture.js';
import { analysePolicy } from '../../seccomp/language/parse-policy.js';
import { formatFinding, type LintFinding } from '../../seccomp/lint/lint-finding.js';
import { lintPolicy } from '../../seccomp/lint/lint-policy.js';
import { lintParity } from '../../seccomp/lint/parity.js';
import type { Policy } from '../../seccomp/policy.js';
import { EXIT } from '../failure.js';
import type { Output } from '../output.js';
import { parseInputOf } from './policy-input.js';
import type { PolicyFlags } from './policy-options.js';

interface Linted {
  readonly file: string;
  readonly architecture: string;
  readonly findings: readonly LintFinding[];
}

/**
 * Lints policies, each given as PATH or ARCH=PATH. Those of several architectures are compared with each other as well.
 * @returns 1 if there is an error or a warning; notes are just told
 */
export function lintCommand(
  policies: readonly string[],
  flags: PolicyFlags,
  output: Output,
): number {
  const linted: Linted[] = [];
  const parsed: Policy[] = [];
  for (const policy of policies) {
    const { path, arch } = archAndPath(policy);
    const input = parseInputOf(path, arch === undefined ? flags : { ...flags, arch });
    parsed.push(analysePolicy(input).policy);
    linted.push({
      file: path,
      architecture: input.architecture.name,
      findings: lintPolicy(input),
    });
  }
  const parity = parityOf(parsed);
  const all = [...linted.flatMap(({ findings }) => findings), ...parity];
  for (const finding of all) output.line(formatFinding(finding));
  const serious = all.filter(({ severity }) => severity !== 'note').length;
  const notes = all.length - serious;
  output.line(`${serious === 0 ? 'no' : serious} errors and warnings, ${notes} notes`);
  output.result({ policies: linted, parity });
  return serious === 0 ? EXIT.ok : EXIT.failed;
}

/** `arm=seccomp/arm/a.policy`; a path may have an equals sign of its own. */
function archAndPath(policy: string): { path: string; arch?: string } {
  const [, arch, path] = /^([a-z0-9_-]+)=(.+)$/u.exec(policy) ?? [];
  if (arch === undefined || path === undefined) return { path: policy };
  return { arch, path };
}

/** All pairs, both ways. */
function parityOf(policies: readonly Policy[]): readonly LintFinding[] {
  return ARCHITECTURE_NAMES.flatMap((name) =>
    policies
      .filter(({ architecture }) => architecture.name === name)
      .flatMap((policy) =>
        policies
          .filter(({ architecture }) => architecture.name !== name)
          .flatMap((other) => lintParity(policy, other)),
      ),
  );
}
