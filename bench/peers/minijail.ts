import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { packageRoot } from '../../src/package-info.js';
import type { Architecture } from '../../src/seccomp/architecture.js';
import type { Skipped } from '../skipped.js';
import { toCDialect } from './c-dialect.js';
import { tablesAsC, tablesAsJson } from './minijail-tables.js';
import { type Outcome, outcomeOf, type Peer } from './peer.js';
import { runTool } from './run-tool.js';

/** `compile_seccomp_policy.py` with one of its strategies; `work` is a folder for what it needs. */
export function minijailPython(
  minijail: string,
  architecture: Architecture,
  strategy: 'bst' | 'linear',
  work: string,
): Peer {
  const tables = join(work, 'constants.json');
  writeFileSync(tables, tablesAsJson(architecture));
  const tool = join(minijail, 'tools', 'compile_seccomp_policy.py');
  const args = [tool, '--optimization-strategy', strategy, '--arch-json', tables];
  const program = join(work, 'program.bpf');
  return {
    name: strategy === 'bst' ? 'minijail BST' : 'minijail linear',
    compile: ({ file }) => {
      const run = runTool('python3', [...args, file, program]);
      return outcomeOf(run.ok ? { ...run, output: readFileSync(program) } : run);
    },
  };
}

/** libminijail's parser, of which a small program is built here with the C compiler of this machine. */
export function minijailC(
  minijail: string,
  architecture: Architecture,
  work: string,
): (Peer & { compileAsWritten(file: string): Outcome }) | Skipped {
  const tables = join(work, 'tables.h');
  writeFileSync(tables, tablesAsC(architecture));
  const parser = join(work, 'minijail-c');
  const built = runTool(process.env['CC'] ?? 'cc', [
    '-D_GNU_SOURCE',
    '-w',
    `-I${minijail}`,
    `-DHALYARD_AUDIT_ARCH=${architecture.auditArch}U`,
    `-DHALYARD_WORD_BITS=${architecture.wordBits}`,
    `-DHALYARD_TABLES="${tables}"`,
    '-o',
    parser,
    join(packageRoot(), 'bench', 'peers', 'minijail-c-driver.c'),
  ]);
  if (!built.ok) {
    const why = built.complaints.find((line) => line.includes('error')) ?? built.complaints[0];
    return { skipped: `minijail C cannot be built: ${why}` };
  }
  // Its first complaint is the cause, but for one that is only a warning; the others say what failed with it.
  const run = (args: readonly string[], cwd?: string) => {
    const ran = runTool(parser, args, cwd === undefined ? {} : { cwd });
    const first = ran.complaints.find((line) => !line.includes('ignored @frequency')) ?? '';
    return outcomeOf({ ...ran, complaints: [first.replace(/^libminijail\[\d+\]: /, '')] });
  };
  const translated = join(work, 'c-dialect.policy');
  return {
    name: 'minijail C',
    compile: ({ policy }) => {
      const { text, shortened } = toCDialect(policy);
      writeFileSync(translated, text);
      const outcome = run([translated]);
      return shortened.length === 0 ? outcome : { ...outcome, shortened };
    },
    // Its includes are relative to the working directory.
    compileAsWritten: (file) => run([basename(file)], dirname(file)),
  };
}
