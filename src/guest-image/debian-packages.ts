import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UnsupportedError } from '../hal/contract/errors.js';
import { DEBIAN_NAME, type GuestArchitecture } from './architecture.js';
import { cacheDirectory, filledOnce } from './cache.js';
import { runTool } from './tool.js';

/** Told in one line what takes long. */
export type Progress = (what: string) => void;

export interface PackageSource {
  readonly architecture: GuestArchitecture;
  readonly progress: Progress;
  /** Fetch the newest packages, also where the cache has some. */
  readonly refresh: boolean;
}

const REMEDY =
  'Use a machine whose apt knows a Debian archive (/etc/apt/sources.list.d) and reaches it.';

/** Behind a package's name: with all that it depends on. No package's name has it. */
const DEPENDENCIES = '+dependencies';

/** Gives packages to `use`, and cleans up behind it. */
export async function withDebianPackages<T>(
  source: PackageSource,
  use: (packages: DebianPackages) => Promise<T>,
): Promise<T> {
  const packages = new DebianPackages(source);
  try {
    return await use(packages);
  } finally {
    packages.close();
  }
}

/**
 * Debian packages of any architecture, unpacked into the cache, without root: apt works on a state of its own, with the
 * sources and keys of the system. What was fetched once is used from then on, also without a network.
 */
export class DebianPackages {
  readonly #source: PackageSource;
  readonly #debian: string;
  readonly #folder: string;
  /** What has been looked up already: a refresh happens once. */
  readonly #found = new Map<string, string>();
  /** apt's own state, with fresh lists; a folder for each process, for apt lets no two work on one. */
  #state: string | undefined;
  #updateFailure: unknown;

  constructor(source: PackageSource) {
    this.#source = source;
    this.#debian = DEBIAN_NAME[source.architecture];
    this.#folder = join(cacheDirectory(), 'debian', this.#debian);
  }

  /** Removes what fetching left. The packages stay in the cache. */
  close(): void {
    if (this.#state !== undefined) rmSync(this.#state, { recursive: true, force: true });
    this.#state = undefined;
  }

  /**
   * Where a package lies unpacked, in the newest version that the cache has.
   *
   * @throws UnsupportedError if it is not there and cannot be fetched.
   */
  unpacked(name: string): Promise<string> {
    const isIt = (folder: string) => folder.startsWith(`${name}_`);
    return this.#find(name, isIt, () => this.#fetch(name));
  }

  /**
   * Where a package lies unpacked in one tree with all that it depends on, the C library included: a program that needs
   * nothing of the system it runs on. What is only recommended is not there.
   *
   * @throws UnsupportedError if it is not there and cannot be fetched.
   */
  withDependencies(name: string): Promise<string> {
    const key = `${name}${DEPENDENCIES}`;
    const isIt = (folder: string) => folder.startsWith(`${key}_`);
    return this.#find(key, isIt, () => this.#fetchAll(name));
  }

  /** The kernel package that Debian's meta package for clouds stands for, likewise. */
  cloudKernel(): Promise<string> {
    const meta = `linux-image-cloud-${this.#debian}`;
    const isIt = (folder: string) => folder.includes(`-cloud-${this.#debian}_`);
    return this.#find(meta, isIt, async () => {
      const depends = await this.#apt('apt-cache', ['depends', meta]);
      const kernel = /Depends: (linux-image-\d\S*)/.exec(depends)?.[1];
      if (kernel === undefined) throw new UnsupportedError(`apt knows no ${meta}`, REMEDY);
      return this.#fetch(kernel);
    });
  }

  async #find(
    key: string,
    isIt: (folder: string) => boolean,
    fetch: () => Promise<string>,
  ): Promise<string> {
    const cached = this.#source.refresh ? undefined : this.#newest(isIt);
    const path = this.#found.get(key) ?? cached ?? (await fetch());
    this.#found.set(key, path);
    return path;
  }

  /** Package folders are called as Debian's files are, name_version_architecture. */
  #newest(isIt: (folder: string) => boolean): string | undefined {
    if (!existsSync(this.#folder)) return undefined;
    const name = readdirSync(this.#folder)
      .filter((entry) => !entry.startsWith('.') && isIt(entry))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .at(-1);
    return name === undefined ? undefined : join(this.#folder, name);
  }

  #fetch(name: string): Promise<string> {
    this.#source.progress(`fetching ${name} (${this.#debian})`);
    return this.#withDownload(async (download) => {
      await this.#apt('apt-get', ['download', name], download);
      return this.#unpackAll(download, name, '');
    });
  }

  #fetchAll(name: string): Promise<string> {
    this.#source.progress(`fetching ${name} and what it depends on (${this.#debian})`);
    return this.#withDownload(async (download) => {
      mkdirSync(join(download, 'partial'));
      const where = ['-o', `Dir::Cache::archives=${download}`];
      const flags = ['--download-only', '--no-install-recommends', '-y'];
      await this.#apt('apt-get', ['install', ...where, ...flags, name]);
      return this.#unpackAll(download, name, DEPENDENCIES);
    });
  }

  async #withDownload(use: (folder: string) => Promise<string>): Promise<string> {
    mkdirSync(this.#folder, { recursive: true });
    const download = mkdtempSync(join(this.#folder, '.download-'));
    try {
      return await use(download);
    } finally {
      rmSync(download, { recursive: true, force: true });
    }
  }

  /** Unpacks what was downloaded into one tree, which is called as the file of package `name` is. */
  async #unpackAll(download: string, name: string, suffix: string): Promise<string> {
    const files = readdirSync(download).filter((entry) => entry.endsWith('.deb'));
    const own = files.find((file) => file.startsWith(`${name}_`));
    if (own === undefined) throw new UnsupportedError(`apt did not fetch ${name}`, REMEDY);
    const folder = basename(own, '.deb').replace(name, `${name}${suffix}`);
    return filledOnce(join(this.#folder, folder), async (unfinished) => {
      for (const file of files) {
        await runTool('dpkg-deb', ['-x', join(download, file), unfinished], { remedy: REMEDY });
      }
    });
  }

  /** apt with fresh lists. If the lists could not be read, that is the reason for whatever fails then. */
  async #apt(
    tool: 'apt-get' | 'apt-cache',
    args: readonly string[],
    cwd?: string,
  ): Promise<string> {
    if (this.#state === undefined) {
      this.#source.progress(`reading Debian's package lists (${this.#debian})`);
      this.#state = this.#newState();
      try {
        await this.#aptOn(this.#state, 'apt-get', ['update']);
      } catch (error) {
        // Some source of many may be out of reach, and not be needed.
        this.#updateFailure = error;
      }
    }
    try {
      return await this.#aptOn(this.#state, tool, args, cwd);
    } catch (error) {
      throw this.#updateFailure ?? error;
    }
  }

  #newState(): string {
    mkdirSync(this.#folder, { recursive: true });
    const state = mkdtempSync(join(this.#folder, '.apt-'));
    mkdirSync(join(state, 'lists', 'partial'), { recursive: true });
    mkdirSync(join(state, 'cache', 'archives', 'partial'), { recursive: true });
    writeFileSync(join(state, 'status'), '');
    return state;
  }

  #aptOn(state: string, tool: string, args: readonly string[], cwd?: string): Promise<string> {
    const options = {
      'APT::Architecture': this.#debian,
      'APT::Architectures': this.#debian,
      // Root's apt would otherwise want to write as another user, who may not write here.
      'APT::Sandbox::User': 'root',
      'Dir::State': state,
      'Dir::State::status': join(state, 'status'),
      'Dir::State::lists': join(state, 'lists'),
      'Dir::Cache': join(state, 'cache'),
    };
    const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    const place = cwd === undefined ? {} : { cwd };
    return runTool(tool, [...args, '-q', ...flags], { remedy: REMEDY, ...place });
  }
}
