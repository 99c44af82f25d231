import { posix } from 'node:path';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';
import type { ParseInput, ParseOptions } from '../../src/seccomp/language/parse-input.js';
import { analysePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Dialect } from '../../src/seccomp/policy.js';

export interface KitOptions {
  readonly arch?: ArchitectureName;
  readonly files?: Readonly<Record<string, string>>;
  readonly options?: ParseOptions;
}

/** A policy named `p.policy`, whose includes are in `files`. */
export function inputOf(dialect: Dialect, text: string, kit: KitOptions = {}): ParseInput {
  const { arch = 'x86_64', files = {}, options = {} } = kit;
  return {
    text,
    file: 'p.policy',
    dialect,
    architecture: architectureOf(arch),
    include: (path) => files[posix.normalize(path)],
    options,
  };
}

/** `code line:column token` of each fault. */
export function faultsOf(dialect: Dialect, text: string, kit: KitOptions = {}): readonly string[] {
  return analysePolicy(inputOf(dialect, text, kit)).faults.map(
    ({ code, place: { span }, token }) => `${code} ${span.line}:${span.column} ${token}`,
  );
}

/** `code line:column token` of each warning. */
export function warningsOf(
  dialect: Dialect,
  text: string,
  kit: KitOptions = {},
): readonly string[] {
  return analysePolicy(inputOf(dialect, text, kit)).warnings.map(
    ({ code, place: { span }, token }) => `${code} ${span.line}:${span.column} ${token}`,
  );
}
