import { posix } from 'node:path';
import ts from 'typescript';
import { type Finding, lineOf, type ParsedFile, walk } from './finding.js';

const MAX_LINES = 400;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|suite|d))?\.ts$/;
/** Biome's own form, with its reason: one exception reads like another. */
const ANY_WITH_REASON = /biome-ignore lint\/suspicious\/noExplicitAny: \S/;

/** Forms that this code does without. */
export function styleFindings(file: ParsedFile): readonly Finding[] {
  const { path, tree } = file;
  const found: Finding[] = [];
  const add = (line: number, rule: string, what: string) =>
    void found.push({ path, line, rule, what });
  if (!KEBAB_CASE.test(posix.basename(path))) {
    add(1, 'names', 'files have names in kebab-case');
  }
  const lines = tree.text.split('\n').length - (tree.text.endsWith('\n') ? 1 : 0);
  if (path.startsWith('src/') && lines > MAX_LINES) {
    add(MAX_LINES + 1, 'length', `${lines} lines; at most ${MAX_LINES} are read with ease`);
  }
  walk(tree, (node) => {
    const what = exportFault(node);
    if (what !== undefined) add(lineOf(tree, node), 'exports', what);
    if (path.startsWith('src/') && node.kind === ts.SyntaxKind.AnyKeyword) {
      const line = lineOf(tree, node);
      if (!excused(tree, line)) add(line, 'any', 'say the type, or unknown');
    }
  });
  return found;
}

function excused(tree: ts.SourceFile, line: number): boolean {
  return ANY_WITH_REASON.test(tree.text.split('\n')[line - 2] ?? '');
}

function exportFault(node: ts.Node): string | undefined {
  if (ts.isExportAssignment(node)) return 'no default export: name it';
  if (ts.isExportDeclaration(node)) {
    const { exportClause } = node;
    if (exportClause === undefined || ts.isNamespaceExport(exportClause)) {
      return 'no export *: name what is exported';
    }
  }
  if (ts.isExportSpecifier(node) && node.name.text === 'default') {
    return 'no default export: name it';
  }
  if (node.kind === ts.SyntaxKind.DefaultKeyword && ts.canHaveModifiers(node.parent)) {
    return 'no default export: name it';
  }
  return undefined;
}

/** The addon can be loaded without an import that the table of layers sees: by its file, or by Node's own function. */
export function loaderFindings({ path, tree }: ParsedFile): readonly Finding[] {
  if (!path.startsWith('src/') || path.startsWith('src/hal/native/')) return [];
  const found: Finding[] = [];
  walk(tree, (node) => {
    const loads =
      (ts.isIdentifier(node) && node.text === 'dlopen') ||
      (ts.isStringLiteralLike(node) && node.text.endsWith('.node'));
    if (!loads) return;
    const what = `${node.getText(tree)}: only src/hal/native/ loads native modules`;
    found.push({ path, line: lineOf(tree, node), rule: 'addon', what });
  });
  return found;
}
