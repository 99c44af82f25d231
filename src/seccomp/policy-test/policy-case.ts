import type { Architecture } from '../architecture.js';
import type { ParseOptions } from '../language/parse-input.js';
import type { Action, Dialect } from '../policy.js';

/** One case of a test file, understood. */
export interface PolicyCase {
  /** As the file has it; its index from 0 if it has none. */
  readonly id: string | number;
  readonly architecture: Architecture;
  readonly dialect: Dialect;
  readonly source: PolicySource;
  /** Unless given, it is what the dialect's compiler does without an option. */
  readonly defaultAction?: Action;
  readonly options: ParseOptions;
  /** Undefined in cases that expect the policy to be rejected and name no syscall. */
  readonly call: { readonly number: number; readonly args: readonly bigint[] } | undefined;
  readonly expected: Action | 'error';
}

export interface PolicySource {
  /** The policy, or the file that has it. */
  readonly text?: string;
  readonly path?: string;
  /** Texts of included files by path, normalised. */
  readonly files: ReadonlyMap<string, string>;
}
