import { posix } from 'node:path';
import ts from 'typescript';
import { lineOf, type ParsedFile, walk } from './finding.js';

/** One module that a file names, however it does so. */
export interface Import {
  readonly from: string;
  readonly line: number;
  /** A path from the package's root for a relative import, else the specifier: `node:fs`, `inversify`. */
  readonly target: string;
  readonly relative: boolean;
  /** Erased by the compiler: nothing is loaded. */
  readonly typeOnly: boolean;
}

/** Static and dynamic imports, `require`, re-exports and types by `import('…')`. */
export function importsOf({ path, tree }: ParsedFile): readonly Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    const line = lineOf(tree, node);
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) {
      found.push({ from: path, line, target: '(computed)', relative: false, typeOnly });
      return;
    }
    const relative = specifier.text.startsWith('.');
    const target = relative ? resolve(path, specifier.text) : specifier.text;
    found.push({ from: path, line, target, relative, typeOnly });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeImport(node));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, node.moduleSpecifier, isTypeExport(node));
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    } else if (ts.isCallExpression(node) && loads(node.expression)) {
      add(node, node.arguments[0], false);
    } else if (
      ts.isImportEqualsDeclaration(node) &&
      ts.isExternalModuleReference(node.moduleReference)
    ) {
      add(node, node.moduleReference.expression, node.isTypeOnly);
    }
  });
  return found;
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
}

function loads(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === 'require';
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined) return false;
  return (
    ts.isNamedImports(namedBindings) && namedBindings.elements.every(({ isTypeOnly }) => isTypeOnly)
  );
}

function isTypeExport({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return false;
  return exportClause.elements.every((element) => element.isTypeOnly);
}
