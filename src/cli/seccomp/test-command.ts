import type { PolicyCase } from '../../seccomp/policy-test/policy-case.js';
import { PolicyFileError } from '../../seccomp/policy-test/prepared-policy.js';
import { readCase } from '../../seccomp/policy-test/read-case.js';
import { type CaseResult, CaseRunner } from '../../seccomp/policy-test/run-case.js';
import { type TestDocument, TestFileError } from '../../seccomp/policy-test/test-document.js';
import { EXIT, explain } from '../failure.js';
import type { Output } from '../output.js';
import { policyPath, readTestDocument, tryReadText } from './test-files.js';

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
export async function testCommand(files: readonly string[], output: Output): Promise<number> {
  const runner = new CaseRunner(tryReadText);
  const tally: Tally = { passed: 0, failed: 0, exitCode: EXIT.ok };
  for (const file of files) {
    try {
      const { document, cases } = await readTestDocument(file);
      cases.forEach((value, index) => {
        count(tally, runOne(runner, { value, index, document, file }, output));
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
  if (output.json) process.stderr.write(`${summary}\n`);
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

interface Place {
  readonly value: unknown;
  readonly index: number;
  readonly document: TestDocument;
  readonly file: string;
}

/** A case that cannot be run fails by itself; the others tell what they tell. */
function runOne(runner: CaseRunner, place: Place, output: Output): Outcome {
  const { value, index, document, file } = place;
  try {
    const item = withPolicyPath(readCase(value, index, document, file), file);
    const result = runner.run(item);
    report(item, result, place, output);
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

function report(item: PolicyCase, result: CaseResult, place: Place, output: Output): void {
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
  for (const reason of reasons(item, result)) output.line(`        ${reason}`);
}

function reasons(item: PolicyCase, { rejected, fault, judgement }: CaseResult): readonly string[] {
  if (rejected !== undefined) return rejected.split('\n');
  if (fault !== undefined) return [fault];
  if (judgement === undefined) return ['the policy is accepted, and no syscall is named to ask it'];
  const { rules, by } = judgement;
  const number = item.call?.number ?? 0;
  const name = rules?.name ?? item.architecture.syscallNames.get(number) ?? `syscall ${number}`;
  return [`${name}: decided by ${by}`];
}
