import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { packageRoot } from '../../src/package-info.js';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';
import { PolicyError } from '../../src/seccomp/language/diagnostic.js';
import type { ParseOptions } from '../../src/seccomp/language/parse-input.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Action, Dialect, Policy } from '../../src/seccomp/policy.js';
import { verdictOf } from './policy-verdict.js';

/** A policy, and what minijail's own programs for it answered (or that minijail rejects it). */
interface VerdictCase {
  readonly id: string;
  readonly arch: ArchitectureName;
  readonly dialect: Dialect;
  readonly policy: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly defaultAction?: string;
  readonly options?: ParseOptions;
  readonly error?: true;
  /** Syscall number, arguments (the rest is 0), verdict, and the instruction pointer if it is not 0. */
  readonly checks?: readonly (readonly [number, readonly (number | string)[], string, string?])[];
}

const cases = readFileSync(`${packageRoot()}/test/seccomp/minijail-verdicts.jsonl`, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as VerdictCase);

function actionOf(text: string): Action {
  const errno = /^return (\d+)$/.exec(text)?.[1];
  if (errno !== undefined) return { kind: 'errno', errno: Number(errno) };
  return { kind: text as Exclude<Action['kind'], 'errno'> };
}

function parse({ arch, defaultAction, dialect, files = {}, options = {}, policy }: VerdictCase) {
  const all: Readonly<Record<string, string>> = { ...files, 'main.policy': policy };
  return parsePolicy({
    text: policy,
    file: 'main.policy',
    dialect,
    architecture: architectureOf(arch),
    include: (path) => all[posix.normalize(path)],
    ...(defaultAction === undefined ? {} : { defaultAction: actionOf(defaultAction) }),
    options,
  }).policy;
}

function isRejected(item: VerdictCase): boolean {
  try {
    parse(item);
    return false;
  } catch (error) {
    if (error instanceof PolicyError) return true;
    throw error;
  }
}

function parsed(t: ExecutionContext, item: VerdictCase): Policy | undefined {
  try {
    return parse(item);
  } catch (error) {
    t.fail(`${item.id}: ${String(error)}`);
    return undefined;
  }
}

for (const dialect of ['minijail-c', 'minijail-python'] as const) {
  const ofDialect = cases.filter((item) => item.dialect === dialect);

  test(`${dialect}: what minijail rejects is rejected`, (t) => {
    const rejected = ofDialect.filter(({ error }) => error === true);
    t.true(rejected.length > 100);
    for (const item of rejected) {
      t.true(isRejected(item), item.id);
    }
  });

  test(`${dialect}: what minijail accepts has the same verdicts`, (t) => {
    const accepted = ofDialect.filter(({ checks }) => checks !== undefined);
    t.true(accepted.length > 100);
    for (const item of accepted) {
      const policy = parsed(t, item);
      if (policy === undefined) continue;
      for (const [number, args, expected, pointer = '0'] of item.checks ?? []) {
        const data = { number, instructionPointer: BigInt(pointer), args: args.map(BigInt) };
        t.is(verdictOf(policy, data), expected, `${item.id}: ${number}(${args.join(', ')})`);
      }
    }
  });
}
