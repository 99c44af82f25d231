import type { Program } from './instruction.js';

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** The program as C: an array of `struct sock_filter` (linux/filter.h) and its length. */
export function formatCArray(program: Program, name = 'filter'): string {
  const lines = program.map(
    ({ code, jt, jf, k }) => `  {${hex(code, 4)}, ${jt}, ${jf}, ${hex(k, 8)}},`,
  );
  return [
    '#include <linux/filter.h>',
    '',
    `static const struct sock_filter ${name}[] = {`,
    ...lines,
    '};',
    `static const unsigned short ${name}_length = sizeof(${name}) / sizeof(${name}[0]);`,
    '',
  ].join('\n');
}
