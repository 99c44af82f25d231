import type { Finding } from './finding.js';
import type { Import } from './imports.js';

interface Layer {
  readonly folder: string;
  /** What it may import beside itself, by the beginning of the path. */
  readonly may: readonly string[];
  /** What it may import besides, as types alone. */
  readonly mayTypes?: readonly string[];
  /** What it may not import, although `may` says so. */
  readonly except?: readonly string[];
  /** Packages and Node's modules that it may import; undefined: any. */
  readonly packages?: readonly string[];
}

const NATIVE = 'src/hal/native/';
const INJECTION = ['inversify', 'reflect-metadata'];

/**
 * DESIGN.md, "Layers and folders". The first that a path begins with counts. The trace needs no more of the HAL than
 * its metadata; what it hands its turns to is known by two interfaces.
 */
const LAYERS: readonly Layer[] = [
  { folder: NATIVE, may: ['src/hal/'] },
  { folder: 'src/hal/', may: [] },
  {
    folder: 'src/trace/',
    may: ['src/hal/contract/'],
    mayTypes: ['src/hal/record/turn-encoder.ts', 'src/hal/replay/turn-cursor.ts'],
  },
  { folder: 'src/reactor/', may: ['src/hal/'], packages: INJECTION },
  { folder: 'src/devices/', may: ['src/hal/', 'src/reactor/'], packages: INJECTION },
  { folder: 'src/policy/', may: ['src/hal/', 'src/reactor/'], packages: INJECTION },
  { folder: 'src/seccomp/', may: [] },
  { folder: 'src/verdict/', may: ['src/hal/', 'src/seccomp/'] },
  {
    folder: 'src/machine/',
    may: ['src/hal/', 'src/devices/', 'src/reactor/'],
    packages: INJECTION,
  },
  { folder: 'src/guest-image/', may: ['src/hal/contract/'] },
  { folder: 'src/programs/', may: ['src/'], packages: INJECTION },
  { folder: 'src/fixture/', may: ['src/'], except: ['src/cli/', 'src/bin/'] },
  { folder: 'src/cli/', may: ['src/'] },
  { folder: 'src/bin/', may: ['src/'] },
];

/** The files beside the folders: what composes and runs a program. */
const TOP: Layer = {
  folder: 'src/*.ts',
  may: ['src/hal/', 'src/reactor/', 'src/trace/'],
};

/** Who may name the native side at all. */
const MAY_NATIVE = [NATIVE, 'src/cli/'];

const isTop = (path: string) => /^src\/[^/]+$/.test(path);
const startsWithAny = (path: string, prefixes: readonly string[]) =>
  prefixes.some((prefix) => path.startsWith(prefix));

function layerOf(path: string): Layer | undefined {
  return isTop(path) ? TOP : LAYERS.find(({ folder }) => path.startsWith(folder));
}

/** Checks one import against the table of layers. */
export function layerFindings(entry: Import): readonly Finding[] {
  const { from, line, target, relative } = entry;
  const finding = (rule: string, what: string): Finding => ({ path: from, line, rule, what });
  const layer = layerOf(from);
  if (layer === undefined) {
    return [finding('layers', `${from} is in no layer; DESIGN.md has their table`)];
  }
  if (!relative) return packageFindings(layer, entry);
  const found: Finding[] = [];
  if (!allowed(layer, entry)) {
    found.push(finding('layers', `${layer.folder} may not import ${target}`));
  }
  if (target.startsWith(NATIVE) && !startsWithAny(from, MAY_NATIVE)) {
    found.push(finding('native', `only ${MAY_NATIVE.join(' and ')} may import ${target}`));
  }
  return found;
}

function allowed(layer: Layer, { from, target, typeOnly }: Import): boolean {
  const { folder, may, mayTypes = [], except = [] } = layer;
  if (layer === TOP ? isTop(target) : target.startsWith(folder)) return true;
  if (isTop(target)) return isTop(from) || may.includes('src/');
  if (startsWithAny(target, except)) return false;
  return startsWithAny(target, may) || (typeOnly && startsWithAny(target, mayTypes));
}

function packageFindings({ folder, packages }: Layer, entry: Import): readonly Finding[] {
  const { from, line, target } = entry;
  if (target === 'halyard' || target.startsWith('halyard/')) {
    return [
      { path: from, line, rule: 'layers', what: `${target} is this package: import the file` },
    ];
  }
  if (packages === undefined || packages.includes(target)) return [];
  const what = `${folder} may not import ${target}: all that is not determined comes through the HAL`;
  return [{ path: from, line, rule: 'modules', what }];
}

/** Shows how an entry point gets to the native side, if it does: by any import that is not erased. */
export function addonFindings(entryPoint: string, imports: readonly Import[]): readonly Finding[] {
  const cameBy = new Map<string, Import | undefined>([[entryPoint, undefined]]);
  const found: Finding[] = [];
  // A map's iteration goes on with what is added under way: a breadth-first search.
  for (const path of cameBy.keys()) {
    for (const entry of imports) {
      if (entry.from !== path || entry.typeOnly || !entry.relative) continue;
      if (entry.target.startsWith(NATIVE)) {
        const way = [...wayTo(path, cameBy), entry.target].join(' → ');
        found.push({
          path,
          line: entry.line,
          rule: 'addon',
          what: `${entryPoint} reaches it: ${way}`,
        });
      } else if (!cameBy.has(entry.target)) cameBy.set(entry.target, entry);
    }
  }
  return found;
}

function wayTo(path: string, cameBy: ReadonlyMap<string, Import | undefined>): readonly string[] {
  const before = cameBy.get(path);
  return before === undefined ? [path] : [...wayTo(before.from, cameBy), path];
}
