import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/package-info.js';
import { missingCompiler } from './seccomp-headers.js';
import { TABLE_ARCHITECTURES, tableModules, tablesOf } from './seccomp-tables.js';

/** Writes the syscall tables and constants of src/seccomp/tables/ from the headers of the (cross) compilers. */
function main(): number {
  for (const arch of TABLE_ARCHITECTURES) {
    const missing = missingCompiler(arch);
    if (missing === undefined) continue;
    console.error(`No tables were written: ${missing}`);
    return 1;
  }
  const tables = new Map(TABLE_ARCHITECTURES.map((arch) => [arch, tablesOf(arch)]));
  const folder = join(packageRoot(), 'src', 'seccomp', 'tables');
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of tableModules(tables)) writeFileSync(join(folder, file), text);
  for (const [arch, { versions, syscalls, constants }] of tables) {
    console.log(`${arch}: ${syscalls.size} syscalls, ${constants.size} constants (${versions})`);
  }
  return 0;
}

process.exitCode = main();
