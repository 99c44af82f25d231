import ts from 'typescript';

/** Whether a name is declared around a place, so that it is no global there: `process` may be a parameter. */
export function isDeclaredAround(place: ts.Identifier): boolean {
  for (let node: ts.Node | undefined = place.parent; node !== undefined; node = node.parent) {
    if (declaredBy(node).some((name) => binds(name, place.text))) return true;
  }
  return false;
}

/** The names that a node declares for all that is in it. */
function declaredBy(node: ts.Node): readonly (ts.BindingName | undefined)[] {
  if (ts.isFunctionLike(node)) return [...node.parameters.map(({ name }) => name), ownName(node)];
  if (ts.isBlock(node) || ts.isSourceFile(node) || ts.isCaseOrDefaultClause(node)) {
    return node.statements.flatMap(statementNames);
  }
  if (ts.isForStatement(node) || ts.isForOfStatement(node) || ts.isForInStatement(node)) {
    const { initializer } = node;
    return initializer !== undefined && ts.isVariableDeclarationList(initializer)
      ? initializer.declarations.map(({ name }) => name)
      : [];
  }
  if (ts.isCatchClause(node)) return [node.variableDeclaration?.name];
  return [];
}

/** A function expression knows itself by name. */
function ownName(node: ts.SignatureDeclaration): ts.Identifier | undefined {
  return ts.isFunctionExpression(node) ? node.name : undefined;
}

function statementNames(statement: ts.Statement): readonly (ts.BindingName | undefined)[] {
  if (ts.isVariableStatement(statement)) {
    // `declare` only says that it is there: it stays a global.
    if (statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword)) return [];
    return statement.declarationList.declarations.map(({ name }) => name);
  }
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    return [statement.name];
  }
  if (!ts.isImportDeclaration(statement)) return [];
  const bindings = statement.importClause?.namedBindings;
  if (bindings === undefined) return [statement.importClause?.name];
  if (ts.isNamespaceImport(bindings)) return [bindings.name];
  return bindings.elements.map(({ name }) => name);
}

function binds(name: ts.BindingName | undefined, text: string): boolean {
  if (name === undefined) return false;
  if (ts.isIdentifier(name)) return name.text === text;
  return name.elements.some((element) => ts.isBindingElement(element) && binds(element.name, text));
}
