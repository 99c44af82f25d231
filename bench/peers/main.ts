import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Architecture, architectureOf } from '../../src/seccomp/architecture.js';
import { withTempDir } from '../measure.js';
import { wasSkipped } from '../skipped.js';
import { policyFigures } from './figures.js';
import { libseccomp } from './libseccomp.js';
import { minijailC, minijailPython } from './minijail.js';
import { HELP, type PeersOptions, parsePeersOptions } from './options.js';
import type { Peer } from './peer.js';
import { countedFrequencies, type MeasuredPolicy, policiesFor } from './policies.js';
import { type ArchitectureFigures, reportText } from './report.js';
import type { CountedFrequencies } from './weights.js';

interface Report {
  /** What all programs were made from and weighed by. */
  readonly counted: boolean;
  readonly libseccomp: string | undefined;
  /** Why a compiler or policies are missing. */
  readonly skipped: readonly string[];
  readonly architectures: readonly ArchitectureFigures[];
}

interface Circumstances {
  readonly options: PeersOptions;
  readonly frequencies: CountedFrequencies;
  readonly libseccompPeers: readonly Peer[];
  readonly skip: (why: string) => void;
}

function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`bench: ${what}\n`);
}

type CParser = Exclude<ReturnType<typeof minijailC>, { skipped: string }>;

function refusedAsWritten(
  jobs: readonly MeasuredPolicy[],
  parser: CParser,
): Record<string, string> {
  return Object.fromEntries(
    jobs.flatMap(({ name, file }) => {
      const outcome = parser.compileAsWritten(file);
      return 'refused' in outcome ? [[name, outcome.refused]] : [];
    }),
  );
}

function measure(
  architecture: Architecture,
  given: Circumstances,
  work: string,
): ArchitectureFigures {
  const { options, frequencies, libseccompPeers, skip } = given;
  const { minijail, policies, counted } = options;
  const peers: Peer[] = [];
  let parser: CParser | undefined;
  if (minijail !== undefined) {
    peers.push(minijailPython(minijail, architecture, 'bst', work));
    peers.push(minijailPython(minijail, architecture, 'linear', work));
    const built = minijailC(minijail, architecture, work);
    if (wasSkipped(built)) skip(built.skipped);
    else {
      parser = built;
      peers.push(built);
    }
  }
  peers.push(...libseccompPeers);
  const jobs = policiesFor(architecture, policies, frequencies, work, counted);
  const found = jobs.flatMap((job) => {
    progress(`${architecture.name} ${job.name}`);
    return policyFigures(job, peers) ?? [];
  });
  return {
    architecture: architecture.name,
    policies: found,
    // A policy that was given frequencies is not as it was written.
    ...(parser === undefined || counted
      ? {}
      : { refusedAsWritten: refusedAsWritten(jobs, parser) }),
  };
}

async function report(options: PeersOptions): Promise<Report> {
  const skipped = new Set<string>();
  const skip = (why: string) => void skipped.add(why);
  if (options.minijail === undefined) skip('minijail: no checkout was named (--minijail)');
  if (options.policies.length === 0) skip("crosvm's policies: no checkout was named (--policies)");
  const frequencies = countedFrequencies(options.policies);
  if (frequencies === undefined)
    skip('weights: no common_device.frequency, each syscall counts the same');
  const library = libseccomp();
  if (wasSkipped(library)) skip(library.skipped);
  const given = {
    options,
    frequencies: frequencies ?? new Map<string, number>(),
    libseccompPeers: wasSkipped(library) ? [] : library.peers,
    skip,
  };
  const architectures = await withTempDir((directory) =>
    options.architectures.map((name) => {
      const work = join(directory, name);
      mkdirSync(work);
      return measure(architectureOf(name), given, work);
    }),
  );
  return {
    counted: options.counted,
    libseccomp: wasSkipped(library) ? undefined : library.version,
    skipped: [...skipped],
    architectures,
  };
}

function missingFolder({ minijail, policies }: PeersOptions): string | undefined {
  const folders = [...(minijail === undefined ? [] : [minijail]), ...policies];
  return folders.find((folder) => !existsSync(folder));
}

async function main(argv: readonly string[]): Promise<number> {
  const parsed = parsePeersOptions(argv);
  const missing = typeof parsed === 'string' ? undefined : missingFolder(parsed);
  if (typeof parsed === 'string' || missing !== undefined) {
    const why = typeof parsed === 'string' ? parsed : `${missing} is not there`;
    process.stderr.write(`bench:seccomp-peers: ${why}\n`);
    return 2;
  }
  if (parsed.help) {
    process.stdout.write(HELP);
    return 0;
  }
  // Tools are run in other folders.
  const minijail = parsed.minijail === undefined ? undefined : resolve(parsed.minijail);
  const made = await report({ ...parsed, minijail });
  const text = [
    ...made.skipped.map((why) => `not measured: ${why}\n`),
    ...made.architectures.map(reportText),
  ].join('\n');
  process.stdout.write(parsed.json ? `${JSON.stringify(made)}\n` : text);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
