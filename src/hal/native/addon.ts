import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HalError, UnsupportedError } from '../contract/errors.js';

/** A function of the addon: arguments by position, in the order of the contract's declaration. */
export type AddonFunction = (...args: unknown[]) => unknown;
export type AddonFunctions = Readonly<Record<string, AddonFunction | undefined>>;

/** Handles of its own, and the functions of each contract under its `halName`. */
export type AddonSession = Readonly<Record<string, AddonFunctions>> & {
  /** Hands over what takes an event's fields, by position. @param event as in "clock.expired". */
  readonly setListener: AddonFunction;
  /** Ends threads and closes all handles. May be called twice. */
  readonly close: AddonFunction;
};

export interface Addon {
  readonly setErrorClass: (errorClass: typeof HalError) => void;
  readonly open: () => AddonSession;
}

const REMEDY =
  'Run "npm run build:native" on Linux with a C++ compiler, make and Python 3; replay needs no addon.';

/** The folder of the nearest package.json: the package's, from `dist/` as from a bundle. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** The package `node-gyp-build`: finds what was compiled here, or the prebuild that fits this machine. */
interface AddonFinder {
  /** @throws Error if there is none. */
  readonly resolve: (packageFolder: string) => string;
}

const require = createRequire(import.meta.url);

/** @throws UnsupportedError if there is none. */
function addonFile(): string {
  const { HALYARD_ADDON: given } = process.env;
  if (given !== undefined && given !== '') {
    const file = resolve(given);
    if (existsSync(file)) return file;
    throw new UnsupportedError(`The native addon is not built (no ${file})`, REMEDY);
  }
  try {
    // Required here, so that who only replays does not load it.
    return (require('node-gyp-build') as AddonFinder).resolve(packageRoot());
  } catch (cause) {
    throw new UnsupportedError(
      `The native addon is not built, and no prebuild fits ${process.platform} on ${process.arch}`,
      REMEDY,
      { cause },
    );
  }
}

let loaded: Addon | undefined;

/**
 * Loads the addon, once: the file that the environment variable HALYARD_ADDON names (a sanitizer's build), or
 * build/Release/halyard.node of the package, or else its prebuild for this platform, architecture and C library.
 *
 * @throws UnsupportedError if it is not there or does not fit this Node.
 */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  const file = addonFile();
  try {
    loaded = require(file) as Addon;
  } catch (cause) {
    throw new UnsupportedError(`The native addon ${file} cannot be loaded`, REMEDY, { cause });
  }
  loaded.setErrorClass(HalError);
  return loaded;
}
