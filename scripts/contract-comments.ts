import ts from 'typescript';

/** The doc comments of a contract's source: of the contract itself, and of its entries by name. */
export interface ContractComments {
  readonly contract: string;
  readonly entries: ReadonlyMap<string, string>;
}

/** Finds the `defineHal` call in a source text and reads the comments around it. */
export function readComments(fileName: string, source: string): ContractComments {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2022, true);
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const declared = statement.declarationList.declarations[0]?.initializer;
    const entries = declared === undefined ? undefined : declarationOf(declared);
    if (entries !== undefined) return { contract: commentOf(statement), entries };
  }
  throw new Error(`${fileName} declares no contract with defineHal`);
}

function declarationOf(node: ts.Expression): Map<string, string> | undefined {
  if (!ts.isCallExpression(node) || node.expression.getText() !== 'defineHal') return undefined;
  const declaration = node.arguments[1];
  if (declaration === undefined || !ts.isObjectLiteralExpression(declaration)) return undefined;
  return new Map(
    declaration.properties.map((property) => [property.name?.getText() ?? '', commentOf(property)]),
  );
}

function commentOf(node: ts.Node): string {
  const texts = ts
    .getJSDocCommentsAndTags(node)
    .map((part) => ts.getTextOfJSDocComment(part.comment) ?? '');
  return texts
    .join('\n\n')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}
