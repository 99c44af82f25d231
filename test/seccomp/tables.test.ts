import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { dumpHeaders, type HeaderDump, missingCompiler } from '../../scripts/seccomp-headers.js';
import { newerConstants, newerSyscalls } from '../../scripts/seccomp-newer.js';
import { TABLE_ARCHITECTURES, tableModules, tablesOf } from '../../scripts/seccomp-tables.js';
import { packageRoot } from '../../src/package-info.js';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';

const FOLDER = join(packageRoot(), 'src', 'seccomp', 'tables');
const BOGUS = new Set(['arch_specific_syscall', 'syscalls']);
/** Ends of enumerations and masks of all flags, which grow from kernel to kernel. */
const GROWS = /MAX|LAST|END|MASK|NUM|NR_|VER|SIZE|SUPPORTED|ALL|RESERVED|VALID|_NSIG/;

const dumps = new Map<ArchitectureName, HeaderDump>();

/** What the compiler's headers say. It takes seconds, so it is asked once. */
function headersOf(arch: ArchitectureName): HeaderDump {
  const headers = dumps.get(arch) ?? dumpHeaders(arch);
  dumps.set(arch, headers);
  return headers;
}

/** Whether the checked-in table says that it was made from these headers. */
function areTheirs(arch: ArchitectureName, { versions }: HeaderDump): boolean {
  const module = readFileSync(join(FOLDER, `${arch.replace('_', '-')}-syscalls.ts`), 'utf8');
  return module.includes(`: ${versions},`);
}

for (const arch of TABLE_ARCHITECTURES) {
  const missing = missingCompiler(arch);
  const onCompiler = missing === undefined ? test : test.skip;
  const reason = missing === undefined ? '' : ` (skipped: ${missing})`;

  onCompiler(`the tables of ${arch} are what its headers say${reason}`, (t) => {
    const headers = headersOf(arch);
    const isSame = areTheirs(arch, headers);
    const { syscalls, constants } = architectureOf(arch);
    t.true(headers.syscalls.size > 300);
    for (const [name, number] of headers.syscalls) {
      // Other headers than those of the tables may be newer than they are.
      if (BOGUS.has(name) || (!isSame && !syscalls.has(name))) continue;
      t.is(syscalls.get(name), number, name);
    }
    t.true(headers.constants.size > 3500);
    for (const [name, value] of headers.constants) {
      if (!isSame && (!constants.has(name) || GROWS.test(name))) continue;
      t.is(constants.get(name), value, name);
    }
    if (!isSame) t.log(`compared with other headers: ${headers.versions}`);
  });

  onCompiler(`what is newer than the headers of ${arch} does not contradict them${reason}`, (t) => {
    const headers = headersOf(arch);
    const names = new Map([...headers.syscalls].map(([name, number]) => [number, name]));
    for (const [name, number] of newerSyscalls(arch)) {
      const known = names.get(number);
      t.true(known === undefined || known === name || BOGUS.has(known), `${name}: ${known}`);
      t.is(architectureOf(arch).syscalls.get(name), number);
    }
    for (const [name, value] of newerConstants(arch)) {
      t.is(headers.constants.get(name) ?? value, value, name);
      t.is(architectureOf(arch).constants.get(name), value);
    }
  });
}

const missing = TABLE_ARCHITECTURES.map(missingCompiler).find((reason) => reason !== undefined);
const onAll = missing === undefined ? test : test.skip;
const reason = missing === undefined ? '' : ` (skipped: ${missing})`;

onAll(`the generated modules are what the generator writes${reason}`, (t) => {
  const tables = new Map(
    TABLE_ARCHITECTURES.map((arch) => [arch, tablesOf(arch, headersOf(arch))]),
  );
  const modules = tableModules(tables);
  const generated = readdirSync(FOLDER).filter((file) => /-(?:constants|syscalls)/.test(file));
  t.deepEqual([...modules.keys()].sort(), generated.sort());
  for (const [file, text] of modules) {
    const written = readFileSync(join(FOLDER, file), 'utf8');
    // Made from other headers: their names may differ, the form may not.
    if (written.split('\n')[1] === text.split('\n')[1]) t.is(written, text, file);
    else t.is(written.split('\n')[0], text.split('\n')[0], file);
  }
});
