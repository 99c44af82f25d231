import type { PolicyCase } from '../../seccomp/policy-test/policy-case.js';
import { PolicyFileError } from '../../seccomp/policy-test/prepared-policy.js';
import { type CaseContext, readCase } from '../../seccomp/policy-test/read-case.js';
import { type CaseResult, CaseRunner } from '../../seccomp/policy-test/run-case.js';
import { TestFileError } from '../../seccomp/policy-test/test-document.js';
import { EXIT, explain } from '../failure.js';
import type { Output } from '../output.js';
import { tryReadText } from '../policy-text.js';
import { policyPath, readTestDocument } from './test-documents.js';

/** What holds for cases that do not say it. */
export type TestFlags = Pick<CaseContext, 'arch' | 'dialect'>;

interface Tally {
  passed: number;
  failed: number;
  exitCode: number;
}

/**
 * Policy tests as data. With `--json` one object a case; then the summary goes to standard error, so that standard output
 * is JSON lines alone.
 *
 * @returns the worst of all cases: 2 for what cannot be run, 1 for what failed
 */
export async function testCommand(
  files: readonly string[],
  flags: TestFlags,
  output: Output,
): Promise<number> {
  const runner = new CaseRunner(tryReadText);
  const tally: Tally = { passed: 0, failed: 0, exitCode: EXIT.ok };
  for (const file of files) {
    try {
      const { document, cases } = await readTestDocument(file);
      cases.forEach((value, index) => {
        count(tally, runOne(runner, { value, index, document, file, ...flags }, output));
      });
    } catch (error) {
      const { line, exitCode, code } = explain(error);
      output.warn(line);
      output.result({ file, error: { code, message: line } });
      tally.exitCode = Math.max(tally.exitCode, exitCode);
    }
  }
  const summary = `${tally.passed} passed, ${tally.failed} failed`;
  output.line(summary);
  if (output.json) output.note(summary);
  return tally.exitCode;
}

type Outcome = 'passed' | 'failed' | 'malformed';

function count(tally: Tally, outcome: Outcome): void {
  if (outcome === 'passed') tally.passed += 1;
  else tally.failed += 1;
  const exitCode =
    outcome === 'passed' ? EXIT.ok : outcome === 'failed' ? EXIT.failed : EXIT.badInput;
  tally.exitCode = Math.max(tally.exitCode, exitCode);
}

interface Place extends CaseContext {
  readonly value: unknown;
}

/** A case that cannot be run fails by itself; the others tell what they tell. */
function runOne(runner: CaseRunner, place: Place, output: Output): Outcome {
  const { value, index, file } = place;
  try {
    const item = withPolicyPath(readCase(value, place), file);
    const result = runner.run(item);
    report(result, place, output);
    return result.passed ? 'passed' : 'failed';
  } catch (error) {
    const malformed = malformation(error, place);
    const message = malformed ?? internalError(error, place);
    output.warn(message);
    const verdict = malformed === undefined ? 'internal-error' : 'malformed';
    const id = idOf(value) ?? index;
    output.result({ file, id, verdict, instructions: 0, passed: false, message });
    return malformed === undefined ? 'failed' : 'malformed';
  }
}

function malformation(error: unknown, { value, document, file }: Place): string | undefined {
  if (error instanceof TestFileError) return error.message;
  if (!(error instanceof PolicyFileError)) return undefined;
  const { line, column } = document.positionOf(value as object, 'policyFile');
  return `${file}:${line}:${column}: ${error.message}`;
}

/** A mistake of ours, told as what it is; the other cases are still run. */
function internalError(error: unknown, { value, document, file }: Place): string {
  const { line, column } = document.positionOf(value as object);
  return `${file}:${line}:${column}: ${explain(error).line}`;
}

function idOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
}

function withPolicyPath(item: PolicyCase, file: string): PolicyCase {
  const { path } = item.source;
  if (path === undefined) return item;
  return { ...item, source: { ...item.source, path: policyPath(file, path) } };
}

function report(result: CaseResult, place: Place, output: Output): void {
  const { id, passed, verdict, expected, instructions, rejected, fault } = result;
  const message = fault ?? rejected;
  output.result({
    file: place.file,
    id,
    verdict,
    expected,
    instructions,
    passed,
    ...(message === undefined ? {} : { message }),
  });
  if (passed || output.json) return;
  const { line, column } = place.document.positionOf(place.value as object);
  output.line(
    `FAILED  ${place.file}:${line}:${column}: ${id}: expected ${expected}, got ${verdict}`,
  );
  for (const reason of reasons(result)) output.line(`        ${reason}`);
}

function reasons({ rejected, fault, explanation }: CaseResult): readonly string[] {
  if (rejected !== undefined) return rejected.split('\n');
  if (fault !== undefined) return [fault];
  if (explanation === undefined)
    return ['the policy is accepted, and no syscall is named to ask it'];
  return explanation.text.trimEnd().split('\n');
}
