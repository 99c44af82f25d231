import {
  diffPolicies,
  formatDifference,
  type PolicyDifference,
} from '../../seccomp/diff/diff-policies.js';
import { formatNumber } from '../../seccomp/explain/constant-names.js';
import type { Dialect } from '../../seccomp/policy.js';
import {
  ARCH_WORD,
  argumentWord,
  NUMBER_WORD,
  type SeccompData,
} from '../../seccomp/seccomp-data.js';
import { formatAction } from '../../seccomp/verdict.js';
import { EXIT } from '../failure.js';
import type { Output } from '../output.js';
import { loadPolicy } from './policy-input.js';
import type { PolicyFlags } from './policy-options.js';

export interface DiffFlags extends PolicyFlags {
  /** Of B, if it is not A's. */
  readonly dialectB: Dialect | undefined;
  /** Only fail if A allows what B does not. */
  readonly subset: boolean;
}

/** Compares two policies by what they mean. @returns 1 if they differ, or with `subset` if A is not within B */
export function diffCommand(
  [fileA, fileB]: readonly [string, string],
  flags: DiffFlags,
  output: Output,
): number {
  const a = loadPolicy(fileA, flags, output).policy;
  const b = loadPolicy(
    fileB,
    { ...flags, dialect: flags.dialectB ?? flags.dialect },
    output,
  ).policy;
  const { differences, undecided, aWithinB, bWithinA } = diffPolicies(a, b);
  for (const difference of differences) {
    output.line(formatDifference(difference));
    output.line(`  as in ${witnessText(difference)}`);
  }
  for (const name of undecided) {
    output.line(`${name}: its rules are too entangled to be compared for all arguments`);
  }
  const isSame = differences.length === 0 && undecided.length === 0;
  if (isSame) output.line('the policies decide the same for all syscalls and arguments');
  output.line(`${fileA} is ${relation(aWithinB)} of ${fileB}`);
  output.line(`${fileB} is ${relation(bWithinA)} of ${fileA}`);
  output.result({
    a: fileA,
    b: fileB,
    architecture: a.architecture.name,
    same: isSame,
    aWithinB: aWithinB ?? null,
    bWithinA: bWithinA ?? null,
    differences: differences.map(({ from, to, witness, ...told }) => ({
      ...told,
      a: formatAction(from),
      b: formatAction(to),
      witness: {
        nr: witness[NUMBER_WORD],
        arch: witness[ARCH_WORD],
        args: argumentsOf(witness),
      },
    })),
    undecided,
  });
  return (flags.subset ? aWithinB === true : isSame) ? EXIT.ok : EXIT.failed;
}

function relation(isWithin: boolean | undefined): string {
  if (isWithin === undefined) return 'perhaps a subset';
  return isWithin ? 'a subset' : 'not a subset';
}

function argumentsOf(data: SeccompData): readonly bigint[] {
  return [0, 1, 2, 3, 4, 5].map((argument) => {
    const word = argumentWord(argument);
    return (BigInt(data[word + 1] ?? 0) << 32n) | BigInt(data[word] ?? 0);
  });
}

function witnessText({ name, number, witness }: PolicyDifference): string {
  const args = argumentsOf(witness).map(formatNumber).join(', ');
  if (number !== undefined) return `${name}(${args})`;
  const arch = `0x${(witness[ARCH_WORD] ?? 0).toString(16)}`;
  return `syscall ${witness[NUMBER_WORD]} of the architecture ${arch}`;
}
