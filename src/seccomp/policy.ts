import type { Architecture } from './architecture.js';

/**
 * What a policy means once it is parsed: the same model for both dialects, judged by the evaluator and turned into a
 * program by the compiler.
 */

/** `minijail-c` is what libminijail parses at run time, `minijail-python` what its build-time compiler takes. */
export type Dialect = 'minijail-c' | 'minijail-python';

/** Where something stands in a policy's source. Lines and columns count from 1. */
export interface SourceSpan {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** In characters; at least 1. */
  readonly length: number;
}

/** What a filter does to a syscall (seccomp(2), `SECCOMP_RET_*`). */
export type Action =
  | {
      readonly kind:
        | 'allow'
        | 'kill-process'
        | 'kill-thread'
        | 'trap'
        | 'trace'
        | 'log'
        | 'user-notify';
    }
  /** `errno` as the policy says it, 0 to 65535; the kernel caps what it returns at 4095. */
  | { readonly kind: 'errno'; readonly errno: number };

/** All unsigned. `&`: any of the bits is set; `in`: no bit outside of the value is set. */
export type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=' | '&' | 'in';

/** One comparison of one argument. */
export interface Atom {
  /**
   * 0 to 5. The C dialect also accepts -1 (the instruction pointer) and -2 (number and architecture), both dialects
   * accept 6, C also more: a program that reads those is refused by the kernel.
   */
  readonly argument: number;
  readonly operator: Operator;
  /** An unsigned machine word of the architecture. */
  readonly value: bigint;
  readonly span: SourceSpan;
}

/** All atoms must hold. */
export type Clause = readonly Atom[];

/** One filter of a syscall: `action` if one of the clauses holds, or always if there are no clauses. */
export interface Filter {
  readonly clauses: readonly Clause[];
  readonly action: Action;
  readonly span: SourceSpan;
}

/** All that a policy says of one syscall. */
export interface SyscallRules {
  readonly number: number;
  /** As the policy named it first. */
  readonly name: string;
  /** The first one that holds decides. */
  readonly filters: readonly Filter[];
  /** What happens if none holds: the policy's default, or the errno of the C dialect's `expr; return E`. */
  readonly otherwise: Action;
}

/** A parsed policy, for one architecture. */
export interface Policy {
  readonly architecture: Architecture;
  readonly dialect: Dialect;
  /** For syscalls without rules. */
  readonly defaultAction: Action;
  /** For syscalls of a foreign architecture; kill-thread if not given. */
  readonly foreignAction?: Action;
  /** By syscall number, in the order of the source. */
  readonly syscalls: ReadonlyMap<number, SyscallRules>;
  /** How often a syscall is made, by number; one that is missing counts 1. */
  readonly frequencies: ReadonlyMap<number, number>;
}
