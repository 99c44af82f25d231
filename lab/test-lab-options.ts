import { parseArgs } from 'node:util';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../src/guest-image/architecture.js';
import { SUITE } from './suite/cases.js';
import { TWO_VMS_CASES } from './two-vms/cases.js';

const CASES: readonly string[] = [...SUITE.map(({ name }) => name), ...TWO_VMS_CASES];

export interface TestLabOptions {
  readonly architectures: readonly GuestArchitecture[];
  readonly smoke: boolean;
  /** Cases of the suite; empty for all. */
  readonly only: readonly string[];
  /** Where the traces, reports and consoles stay; undefined throws them away. */
  readonly keep: string | undefined;
}

export const TEST_LAB_USAGE = `usage: npm run test:lab [-- [x86_64] [arm64] [--smoke | --only CASE…] [--keep FOLDER]]
  --smoke        only: the host boots, Linux boots in it, its balloon takes 128 MiB and gives them back, power off
  --only CASE    this case of the suite; may be repeated. Cases: ${CASES.join(', ')}
  --keep FOLDER  leave traces, reports and consoles in FOLDER/ARCHITECTURE`;

/** Reads the command line (without node and the script). @returns what is wrong with it, as text. */
export function parseTestLab(argv: readonly string[]): TestLabOptions | string {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return (error as Error).message;
  }
  const { values, positionals } = parsed;
  const strange = positionals.find((name) => !GUEST_ARCHITECTURES.some((arch) => arch === name));
  if (strange !== undefined) return `there is no architecture ${strange}`;
  const only = values.only ?? [];
  const unknown = only.find((name) => !CASES.includes(name));
  if (unknown !== undefined) return `the suite has no case ${unknown}`;
  const smoke = values.smoke ?? false;
  if (smoke && only.length > 0) return '--only names cases of the suite, and --smoke runs none';
  const architectures = GUEST_ARCHITECTURES.filter(
    (arch) => positionals.length === 0 || positionals.includes(arch),
  );
  return { architectures, smoke, only, keep: values.keep };
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      keep: { type: 'string' },
    },
  });
}
