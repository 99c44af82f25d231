import { dirname, join } from 'node:path';
import { parseJsonDocument } from '../../seccomp/policy-test/json-document.js';
import {
  isRecord,
  type TestDocument,
  TestFileError,
} from '../../seccomp/policy-test/test-document.js';
import { readText, tryReadText } from '../policy-text.js';

/**
 * A file of policy tests, as JSON or YAML: by its name, or by how it begins.
 * @throws TestFileError, UsageError
 */
export async function readTestDocument(
  file: string,
): Promise<{ document: TestDocument; cases: readonly unknown[] }> {
  const text = readText(file);
  const document = isYaml(file, text)
    ? (await import('./yaml-document.js')).parseYamlDocument(text, file)
    : parseJsonDocument(text, file);
  const { value } = document;
  const cases = isRecord(value) ? value['cases'] : undefined;
  if (Array.isArray(cases)) return { document, cases };
  const position =
    typeof value === 'object' && value !== null
      ? document.positionOf(value, 'cases')
      : { line: 1, column: 1 };
  throw new TestFileError(file, position, 'expected {"cases": [ … ]}');
}

function isYaml(file: string, text: string): boolean {
  if (/\.ya?ml$/iu.test(file)) return true;
  return !/\.json$/iu.test(file) && !/^\ufeff?\s*[[{]/u.test(text);
}

/** A policy file is beside the test that names it, or else where the command runs. */
export function policyPath(testFile: string, policyFile: string): string {
  if (policyFile.startsWith('/')) return policyFile;
  const beside = join(dirname(testFile), policyFile);
  return typeof tryReadText(beside) === 'string' ? beside : policyFile;
}
