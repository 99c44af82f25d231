import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CONTRACTS } from '../src/hal/contract-list.js';
import { lockLines, lockProblems } from './contract-lock.js';
import { docsPages, lockedLines, ROOT } from './docs-pages.js';

/**
 * Writes the reference pages of the contracts. `--break` accepts that entries which recordings may hold have changed;
 * those recordings then have to be made again.
 */
function main(flags: readonly string[]): number {
  const problems = lockProblems(lockedLines(), lockLines(CONTRACTS));
  if (problems.length > 0 && !flags.includes('--break')) {
    console.error(
      `Contracts only grow, and these entries have changed:\n  ${problems.join('\n  ')}\n` +
        'Add new entries at the end and replace removed ones by retired(). To break old recordings: --break',
    );
    return 1;
  }
  const pages = docsPages();
  for (const [path, text] of pages) {
    const target = join(ROOT, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  console.log(`${pages.size} pages written`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
