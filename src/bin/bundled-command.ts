import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

/**
 * `command` is all of it; `replay` is the same without what other commands load, for replays that nobody waits for gladly:
 * V8 takes in the cache of a whole bundle, used or not.
 */
export type Bundle = 'command' | 'replay';

/** The bundle that has what a command line needs. */
export function bundleFor(argv: readonly string[]): Bundle {
  const wantsMore = argv.some((arg) => arg === '--jail' || arg.startsWith('--jail='));
  return argv[2] === 'replay' && !wantsMore ? 'replay' : 'command';
}

/** The bundled command, as a CommonJS module that has not run yet. */
export interface BundledCommand {
  readonly script: Script;
  run(): void;
}

/**
 * V8 11 optimises WebAssembly after its first milliseconds, and a process that ends waits for it: more than a short replay
 * takes. Later versions wait longer by themselves; a large trace still gets it. V8 refuses a code cache made with other
 * flags, so this comes first.
 */
function optimiseLater(): void {
  if (process.versions.v8.startsWith('11.')) setFlagsFromString('--wasm-tiering-budget=20000000');
}

/**
 * Loads the bundle from a folder as Node's own loader would, but with V8's code cache: half of what the command costs
 * beyond a bare Node is the compilation of its source. V8 refuses a cache of another version or other flags by itself and
 * compiles; so does a missing one. (Node has this built in from 22.1 on, `module.enableCompileCache`; 20 has not.)
 */
export function loadBundledCommand(folder: string, bundle: Bundle): BundledCommand {
  optimiseLater();
  const file = `${folder}/${bundle}.cjs`;
  // The bundle is ASCII: as one-byte characters it is read and scanned at twice the speed.
  const source = Module.wrap(readFileSync(file, 'latin1'));
  const script = new Script(source, {
    filename: file,
    cachedData: codeCache(folder, bundle),
  });
  return {
    script,
    run: () => {
      const module = { exports: {} };
      const start = script.runInThisContext() as (...args: unknown[]) => void;
      start(module.exports, createRequire(file), module, file, dirname(file));
    },
  };
}

/**
 * Where the cache of a bundle is kept. V8 refuses the cache of another version or other flags, but takes one that was
 * made on another architecture, and crashes: so each Node looks for its own alone.
 */
export function codeCachePath(
  folder: string,
  bundle: Bundle,
  { version, platform, arch }: Pick<NodeJS.Process, 'version' | 'platform' | 'arch'> = process,
): string {
  return `${folder}/${bundle}-${version}-${platform}-${arch}.cache`;
}

function codeCache(folder: string, bundle: Bundle): Buffer | undefined {
  try {
    return readFileSync(codeCachePath(folder, bundle));
  } catch {
    return undefined;
  }
}
