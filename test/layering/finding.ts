import ts from 'typescript';

/** The source files that are looked at: text by path from the package's root, as in `src/hal/kvm.ts`. */
export type Sources = ReadonlyMap<string, string>;

/** One place that breaks a rule. */
export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  readonly what: string;
}

export function formatFinding({ path, line, rule, what }: Finding): string {
  return `${path}:${line}: ${rule}: ${what}`;
}

export interface ParsedFile {
  readonly path: string;
  readonly tree: ts.SourceFile;
}

export function parse(path: string, text: string): ParsedFile {
  return { path, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
}

export function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** Visits every node of a file, JSDoc left out. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
