import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadAddon } from '../../src/hal/native/index.js';
import type { Findings } from './contracts-program.js';
import { type ArmArch, EmulatedNode } from './emulated-node.js';
import { runContracts } from './run-contracts.js';

const CHILD = 'dist/test/arch/contracts-child.js';
/** Two of x86_64 and one of arm64; between them they have every contract, and three processes. */
const RECORDINGS = ['boot', 'device-killed', 'linux-on-arm64'];

interface Report {
  readonly arch: string;
  readonly findings: Findings;
}

/** What is true on an architecture that this machine only emulates. One test at a time: each takes a processor. */
export function armSuite(arch: ArmArch, check: (t: ExecutionContext, found: Findings) => void) {
  const node = new EmulatedNode(arch);

  serially(node.missing, `${arch}: recordings of x86_64 and arm64 replay`, async (t) => {
    const files = RECORDINGS.map((name) => `recordings/${name}/run.mcap`);
    const output = await node.run(['dist/bin/halyard.cjs', 'replay', ...files]);
    for (const file of files) t.regex(output, new RegExp(`^${file}: identical \\(exact\\)`, 'm'));
  });

  serially(
    node.missingAddon,
    `${arch}: the contracts hold, and their recording replays here`,
    async (t) => {
      const folder = folderOf(t);
      const recorded = report(await node.run([CHILD, folder, 'record']));
      t.is(recorded.arch, arch);
      check(t, recorded.findings);
      t.deepEqual(await runContracts(folder, 'lockdown'), recorded.findings);
    },
  );

  const missing = node.missing ?? missingAddonHere();
  serially(missing, `${arch}: what the contracts did here replays there`, async (t) => {
    const folder = folderOf(t);
    const findings = await runContracts(folder, 'record');
    t.deepEqual(report(await node.run([CHILD, folder, 'lockdown'])), { arch, findings });
  });
}

function serially(
  missing: string | undefined,
  title: string,
  body: (t: ExecutionContext) => Promise<void>,
): void {
  if (missing === undefined) test.serial(title, body);
  else test.skip(`${title} (skipped: ${missing})`, () => {});
}

function report(output: string): Report {
  return JSON.parse(output) as Report;
}

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-arch-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function missingAddonHere(): string | undefined {
  try {
    loadAddon();
    return undefined;
  } catch {
    return 'the addon is not built';
  }
}
