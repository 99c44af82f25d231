import { shellWord } from '../options.js';
import { TOOLS } from './strace.js';
import type { TargetMachine } from './targets.js';
import { AVA_NOTES, FOREIGN_LIBRARIES } from './test-files.js';

/** A test that waits for an emulated host's guest may take this long. */
const TEST_TIMEOUT = '10m';

/** What the host's shell does: AVA on these files, with the target's own Node. */
export function testScript({ foreign }: TargetMachine, files: readonly string[]): string {
  // A process for each file: should the emulator fail one, the others are counted.
  const options = `--no-worker-threads --concurrency 1 --timeout ${TEST_TIMEOUT}`;
  const ava = `node node_modules/ava/entrypoints/cli.mjs ${options}`;
  return [
    `mount -t tmpfs tmpfs /project/${AVA_NOTES}`,
    `export PATH=$PATH:/project/${TOOLS}`,
    ...(foreign === undefined ? [] : foreignSystem(foreign)),
    `${ava} ${files.map(shellWord).join(' ')}`,
  ].join('\n');
}

/** The loader of the other architecture where its programs look for it, beside the host's own. */
function foreignSystem({ node, loader }: NonNullable<TargetMachine['foreign']>): string[] {
  const libraries = `/project/${FOREIGN_LIBRARIES}`;
  return [
    'rm /lib',
    'mkdir /lib',
    'ln -s /base/usr/lib/* /lib/',
    `ln -s ${libraries}/${loader} /lib/`,
    `export LD_LIBRARY_PATH=${libraries} PATH=/project/${node.replace(/\/node$/, '')}:$PATH`,
  ];
}

/** How many tests passed, failed and were skipped. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: AVA colours its words.
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Reads AVA's lines, and its summary for what failed and skipped: if any failed, it does not say how many passed. */
export function countsOf(output: string): TestCounts | undefined {
  const text = output.replace(COLOURS, '');
  const count = (what: string) => {
    const lines = text.matchAll(new RegExp(`^ *(\\d+) (?:${what})$`, 'gm'));
    return [...lines].reduce((sum, [, number]) => sum + Number(number), 0);
  };
  const counts = {
    passed: [...text.matchAll(/^ *✔ /gm)].length,
    failed: count('tests? failed|uncaught exceptions?|unhandled rejections?'),
    skipped: count('tests? skipped'),
  };
  return counts.passed + counts.failed + counts.skipped === 0 ? undefined : counts;
}
