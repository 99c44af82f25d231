import type { Atom, Policy } from '../policy.js';
import type { LintFinding } from './lint-finding.js';

/** Constants that on 64 bits mean something else than their writer may think. */
export function lintWordTraps(policy: Policy): readonly LintFinding[] {
  if (policy.architecture.wordBits === 32) return [];
  return [...policy.syscalls.values()]
    .flatMap(({ filters }) => filters.flatMap(({ clauses }) => clauses.flat()))
    .flatMap(lintAtom);
}

function lintAtom(atom: Atom): readonly LintFinding[] {
  const { argument, operator, span, value } = atom;
  const high = value >> 32n;
  const isNegativeInt = high === 0xffffffffn && (value & 0x80000000n) !== 0n;
  if (isNegativeInt && operator !== '&' && operator !== 'in') {
    const signed = BigInt.asIntN(64, value);
    return [
      {
        code: 'sign-extended-constant',
        severity: 'warning',
        span,
        message: `${signed} is 0x${value.toString(16)} here: an int of ${signed} that is passed as 0x${(value & 0xffffffffn).toString(16)} does not equal it`,
        remedy: `compare with 0x${(value & 0xffffffffn).toString(16)} as well, unless the parameter is 64 bits wide`,
      },
    ];
  }
  if (operator === 'in' && high === 0n && value > 0x7fffffffn) {
    return [
      {
        code: 'mask-kills-high-word',
        severity: 'warning',
        span,
        message: `arg${argument} may have no bit above the low 32: the mask is 0x${value.toString(16)}`,
        remedy: `if all other bits are allowed, write ~0x${(value ^ 0xffffffffn).toString(16)}`,
      },
    ];
  }
  return [];
}
