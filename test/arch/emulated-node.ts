import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** As Node names them. */
export type ArmArch = 'arm64' | 'arm';

const EMULATORS = {
  arm64: { qemu: 'qemu-aarch64-static', libraries: '/usr/aarch64-linux-gnu' },
  arm: { qemu: 'qemu-arm-static', libraries: '/usr/arm-linux-gnueabihf' },
} as const;

/** A Node of another architecture, under qemu-user. It knows only prebuilds of the addon. */
export class EmulatedNode {
  readonly arch: ArmArch;
  readonly #node: string;

  constructor(arch: ArmArch) {
    this.arch = arch;
    this.#node = resolve('build', 'arm-nodes', arch, 'node');
  }

  /** Why it cannot run here, or undefined. */
  get missing(): string | undefined {
    const { qemu, libraries } = EMULATORS[this.arch];
    if (spawnSync(qemu, ['--version']).status !== 0) return `${qemu} is missing`;
    if (!existsSync(`${libraries}/lib`)) return `the C library in ${libraries} is missing`;
    if (!existsSync(this.#node)) return 'its Node is missing: npm run arm-nodes';
    return undefined;
  }

  /** Why it has no addon, or undefined. */
  get missingAddon(): string | undefined {
    const prebuild = resolve('prebuilds', `linux-${this.arch}`);
    return this.missing ?? (existsSync(prebuild) ? undefined : 'no prebuild: npm run prebuilds');
  }

  /** Runs a script. @returns what it wrote to stdout. @throws Error with the rest, if it fails. */
  async run(args: readonly string[]): Promise<string> {
    const { qemu, libraries } = EMULATORS[this.arch];
    const { stdout } = await execute(qemu, ['-L', libraries, this.#node, ...args], {
      env: { ...process.env, PREBUILDS_ONLY: '1' },
    });
    return stdout;
  }
}
