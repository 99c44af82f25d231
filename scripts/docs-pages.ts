import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTRACTS } from '../src/hal/contract-list.js';
import { readComments } from './contract-comments.js';
import { contractPage, type DocumentedContract, overviewPage } from './contract-docs.js';
import { lockLines } from './contract-lock.js';

/** The package's folder; this file runs as dist/scripts/docs-pages.js. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const LOCK_FILE = 'docs/contracts/lock.txt';

function documented(): DocumentedContract[] {
  return CONTRACTS.map((contract) => {
    const source = join(ROOT, 'src', 'hal', `${contract.halName}.ts`);
    return { contract, comments: readComments(source, readFileSync(source, 'utf8')) };
  });
}

/** Every generated page, by its path in the package. */
export function docsPages(): Map<string, string> {
  const all = documented();
  const pages = new Map<string, string>([['docs/contracts/README.md', overviewPage(all)]]);
  for (const entry of all) {
    pages.set(`docs/contracts/${entry.contract.halName}.md`, contractPage(entry));
  }
  pages.set(LOCK_FILE, `${lockLines(CONTRACTS).join('\n')}\n`);
  return pages;
}

/** The lines locked by the file in the package; none before the first run. */
export function lockedLines(): string[] {
  const path = join(ROOT, LOCK_FILE);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
