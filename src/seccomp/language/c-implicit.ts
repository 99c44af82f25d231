import type { ArchitectureName } from '../architecture.js';
import type { ParseOptions } from './parse-input.js';

/** What syslog(3) of glibc calls. Of aarch64's list `send` does not exist there. */
const SYSLOG: Readonly<Record<ArchitectureName, readonly string[]>> = {
  x86_64: ['socket', 'connect', 'sendto', 'writev'],
  aarch64: ['socket', 'connect', 'send', 'writev'],
  arm: ['socket', 'connect', 'gettimeofday', 'send', 'writev'],
};

/** What some builds of libminijail allow before the policy's own rules. */
export function implicitAllows(
  architecture: ArchitectureName,
  { allowLibcCompatibility, allowSyslog }: ParseOptions,
): readonly string[] {
  const libc = architecture === 'arm' ? ['fstat', 'fstat64'] : ['fstat'];
  return [
    ...(allowSyslog === true ? SYSLOG[architecture] : []),
    ...(allowLibcCompatibility === true ? libc : []),
  ];
}
