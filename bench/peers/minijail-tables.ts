import type { Architecture } from '../../src/seccomp/architecture.js';

/** Our names and numbers as minijail's Python compiler reads them; JSON.stringify knows no numbers of 64 bits. */
export function tablesAsJson(architecture: Architecture): string {
  const { name, auditArch, wordBits, syscalls, constants } = architecture;
  const object = (entries: Iterable<readonly [string, number | bigint]>) =>
    `{${[...entries].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
  return (
    `{"arch_nr":${auditArch},"arch_name":${JSON.stringify(name)},"bits":${wordBits},` +
    `"syscalls":${object(syscalls)},"constants":${object(constants)}}\n`
  );
}

/** The same as the two arrays that minijail's C parser is linked with. */
export function tablesAsC({ syscalls, constants }: Architecture): string {
  const rows = (entries: Iterable<readonly [string, number | bigint]>) =>
    [...entries].map(
      ([name, value]) => `\t{ "${name}", ${value}${typeof value === 'bigint' ? 'UL' : ''} },\n`,
    );
  return [
    'const struct syscall_entry syscall_table[] = {\n',
    ...rows(syscalls),
    '\t{ NULL, -1 },\n};\n',
    'const size_t syscall_table_size = sizeof(syscall_table) / sizeof(syscall_table[0]);\n',
    'const struct constant_entry constant_table[] = {\n',
    ...rows(constants),
    '\t{ NULL, 0 },\n};\n',
  ].join('');
}
