import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedError } from '../hal/contract/errors.js';
import { DEBIAN_NAME, type GuestArchitecture } from './architecture.js';
import { cacheDirectory, filledOnce } from './cache.js';
import { runTool } from './tool.js';

/** Told in one line what takes long. */
export type Progress = (what: string) => void;

const REMEDY =
  'Use a machine whose apt knows a Debian archive (/etc/apt/sources.list.d) and reaches it.';

/**
 * Debian packages of any architecture, unpacked into the cache, without root: apt works on a state of its own in the
 * cache, with the sources and keys of the system. What was fetched once is used from then on, also without a network.
 */
export class DebianPackages {
  readonly #architecture: GuestArchitecture;
  readonly #progress: Progress;
  readonly #folder: string;
  #listsAreFresh = false;

  constructor(architecture: GuestArchitecture, progress: Progress, cache = cacheDirectory()) {
    this.#architecture = architecture;
    this.#progress = progress;
    this.#folder = join(cache, 'debian', DEBIAN_NAME[architecture]);
  }

  /**
   * Where the newest version of a package that is in the cache lies unpacked. It is fetched if there is none, or if it
   * is asked for the newest one that there is.
   *
   * @throws UnsupportedError if it cannot be fetched.
   */
  async unpacked(name: string, { refresh = false } = {}): Promise<string> {
    return (refresh ? undefined : this.#newest(name)) ?? (await this.#fetch(name));
  }

  /** The kernel package that Debian's meta package for clouds stands for, unpacked. */
  async cloudKernel(options: { refresh?: boolean } = {}): Promise<string> {
    const debian = DEBIAN_NAME[this.#architecture];
    const name = /^linux-image-\d[^_]*$/;
    const cached = options.refresh
      ? undefined
      : this.#versions((entry) => entry.includes(`-cloud-${debian}_`)).at(-1);
    if (cached !== undefined) return cached;
    await this.#updateLists();
    const meta = `linux-image-cloud-${debian}`;
    const depends = await this.#apt('apt-cache', ['depends', meta]);
    const kernel = depends
      .split('\n')
      .map((line) => line.trim().replace(/^Depends: /, ''))
      .find((line) => name.test(line));
    if (kernel === undefined) throw new UnsupportedError(`apt knows no ${meta}`, REMEDY);
    return this.#fetch(kernel);
  }

  /** Package folders are called as Debian's files are, name_version_architecture; the last is the newest. */
  #versions(matches: (entry: string) => boolean): readonly string[] {
    if (!existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((entry) => !entry.startsWith('.') && matches(entry))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .map((entry) => join(this.#folder, entry));
  }

  #newest(name: string): string | undefined {
    return this.#versions((entry) => entry.startsWith(`${name}_`)).at(-1);
  }

  async #fetch(name: string): Promise<string> {
    await this.#updateLists();
    this.#progress(`fetching ${name} (${DEBIAN_NAME[this.#architecture]})`);
    mkdirSync(this.#folder, { recursive: true });
    const download = mkdtempSync(join(this.#folder, '.download-'));
    try {
      await this.#apt('apt-get', ['download', name], download);
      const file = readdirSync(download).find((entry) => entry.endsWith('.deb'));
      if (file === undefined) throw new UnsupportedError(`apt did not fetch ${name}`, REMEDY);
      const target = join(this.#folder, file.replace(/\.deb$/, ''));
      return await filledOnce(target, async (folder) => {
        await runTool('dpkg-deb', ['-x', join(download, file), folder], { remedy: REMEDY });
      });
    } finally {
      rmSync(download, { recursive: true, force: true });
    }
  }

  async #updateLists(): Promise<void> {
    if (this.#listsAreFresh) return;
    this.#progress(`reading Debian's package lists (${DEBIAN_NAME[this.#architecture]})`);
    await this.#apt('apt-get', ['update']);
    this.#listsAreFresh = true;
  }

  #apt(tool: 'apt-get' | 'apt-cache', args: readonly string[], cwd?: string): Promise<string> {
    const debian = DEBIAN_NAME[this.#architecture];
    const state = join(this.#folder, '.apt');
    mkdirSync(join(state, 'lists', 'partial'), { recursive: true });
    mkdirSync(join(state, 'cache', 'archives', 'partial'), { recursive: true });
    writeFileSync(join(state, 'status'), '');
    const options = {
      'APT::Architecture': debian,
      'APT::Architectures': debian,
      // Root's apt would otherwise want to write as another user, who may not write here.
      'APT::Sandbox::User': 'root',
      'Dir::State': state,
      'Dir::State::status': join(state, 'status'),
      'Dir::State::lists': join(state, 'lists'),
      'Dir::Cache': join(state, 'cache'),
    };
    const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    return runTool(tool, [...args, '-q', ...flags], {
      remedy: REMEDY,
      ...(cwd === undefined ? {} : { cwd }),
    });
  }
}
