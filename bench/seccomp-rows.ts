import type { SeccompFigures } from './seccomp-figures.js';
import type { Row } from './table.js';

export function seccompRows(figures: SeccompFigures): Row[] {
  const instructions = { unit: 'instr.', digits: 2 };
  return [
    {
      name: 'seccomp program of a device policy',
      value: figures.seccompInstructions,
      unit: 'instr.',
      digits: 0,
      note: `plain code ${figures.seccompPlainInstructions}`,
    },
    {
      name: 'executed for an allowed syscall, by frequency',
      value: figures.seccompWeighted,
      ...instructions,
      note: `plain code ${figures.seccompPlainWeighted.toFixed(1)}; each syscall once ${figures.seccompUnweighted.toFixed(2)}`,
    },
    {
      name: 'of these, allowed by argument',
      value: figures.seccompFiltered,
      ...instructions,
    },
    {
      name: 'against the best tree of comparisons',
      value: figures.seccompOverBound,
      unit: '',
      digits: 3,
    },
    {
      name: 'compilation of a policy',
      value: figures.seccompCompileMs,
      unit: 'ms',
      digits: 2,
      goal: { kind: 'at most', value: 5 },
      note: `best run ${figures.seccompCompileMsBest.toFixed(2)}; processor time ${figures.seccompCompileCpuMs.toFixed(2)}`,
    },
    {
      name: 'seccomp interpreter',
      value: figures.seccompEvaluationsPerSecond / 1e6,
      unit: 'M evaluations/s',
      digits: 2,
      goal: { kind: 'at least', value: 2 },
    },
  ];
}
