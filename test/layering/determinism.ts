import ts from 'typescript';
import { type Finding, lineOf, type ParsedFile, walk } from './finding.js';
import { isDeclaredAround } from './scope.js';

/** Above the HAL: nothing in here knows the time, chance, other threads or this machine but through it. */
export const SEALED = ['src/devices/', 'src/policy/', 'src/machine/', 'src/programs/'];

const FORBIDDEN: ReadonlyMap<string, string> = new Map([
  ...names('time comes from Clock', ['Date', 'performance']),
  ...names('timers come from Clock', [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
  ]),
  ...names('chance comes from Entropy', ['crypto']),
  ...names('a turn is synchronous', ['Promise', 'queueMicrotask']),
  ...names('memory is read through Mmap', ['SharedArrayBuffer', 'Atomics']),
  ...names('it belongs to this process or machine', [
    'process',
    'globalThis',
    'global',
    'navigator',
    'Intl',
    'fetch',
    'WebSocket',
    'Worker',
    'MessageChannel',
    'BroadcastChannel',
    'require',
  ]),
  ...names('code made at run time escapes this test', ['eval', 'Function']),
  ...names('the garbage collector must not be seen', ['WeakRef', 'FinalizationRegistry']),
]);

function names(reason: string, all: readonly string[]): readonly (readonly [string, string])[] {
  return all.map((name) => [name, reason] as const);
}

/** Globals and constructs that bring in what the trace does not have. */
export function determinismFindings({ path, tree }: ParsedFile): readonly Finding[] {
  if (!SEALED.some((folder) => path.startsWith(folder))) return [];
  const found: Finding[] = [];
  walk(tree, (node) => {
    const what = forbidden(node);
    if (what !== undefined) found.push({ path, line: lineOf(tree, node), rule: 'globals', what });
  });
  return found;
}

function forbidden(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async: a turn is synchronous';
  if (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AwaitKeyword)
    return 'await: a turn is synchronous';
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
    return 'import.meta: it belongs to this process or machine';
  }
  if (!ts.isIdentifier(node) || isPropertyName(node)) return undefined;
  if (node.text === 'Math') return mathUse(node);
  const reason = FORBIDDEN.get(node.text);
  if (reason === undefined || isDeclaredAround(node)) return undefined;
  return `${node.text}: ${reason}`;
}

/** `Math` may only be used as `Math.name`, so that `random` cannot be got at by another way. */
function mathUse(node: ts.Identifier): string | undefined {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node) {
    return parent.name.text === 'random' ? 'Math.random: chance comes from Entropy' : undefined;
  }
  return 'Math: use it as Math.name, for Math.random is not to be had';
}

function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) {
    return parent.propertyName === node;
  }
  const isMember =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isGetAccessorDeclaration(parent) ||
    ts.isSetAccessorDeclaration(parent) ||
    ts.isEnumMember(parent);
  return isMember && parent.name === node;
}
