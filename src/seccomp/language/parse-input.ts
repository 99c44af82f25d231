import type { Architecture } from '../architecture.js';
import type { Action, Dialect, Policy } from '../policy.js';
import type { PolicyFault, PolicyWarning } from './diagnostic.js';

/**
 * Reads an included file or a frequency file: its text, or an Error (or undefined) if it cannot be read.
 * The C dialect gives the path as it is written, to be taken relative to the working directory; the Python dialect gives
 * it joined to the folder of the file that includes it, and normalised.
 */
export type IncludeReader = (path: string) => string | Error | undefined;

/** What the command lines and build flags of minijail decide. */
export interface ParseOptions {
  /** C, `ALLOW_DUPLICATE_SYSCALLS`: a second rule for a syscall is a warning; the first one decides. */
  readonly allowDuplicates?: boolean;
  /** C, debugging builds: unknown syscalls only warn, and `log` may be the default action. True if that is given. */
  readonly allowLogging?: boolean;
  /** C, `ALLOW_LIBC_COMPATIBILITY_SYSCALLS`: fstat (and fstat64 on arm) is allowed before all rules. */
  readonly allowLibcCompatibility?: boolean;
  /** C, for failures written to syslog: socket, connect and what sends is allowed before all rules. */
  readonly allowSyslog?: boolean;
  /** Python, `--denylist`. */
  readonly denylist?: boolean;
  /** Python, `--use-ret-log`: `kill` and every `return` become `log`. */
  readonly useRetLog?: boolean;
  /** Python, `--use-kill-process`: what `kill` and a foreign architecture mean. */
  readonly useKillProcess?: boolean;
  /** Python, `syscall_groups` of the table: groups by namespace and name. */
  readonly syscallGroups?: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
}

export interface ParseInput {
  readonly text: string;
  /** As messages should name it; includes of the Python dialect are relative to its folder. */
  readonly file: string;
  readonly dialect: Dialect;
  readonly architecture: Architecture;
  /** Without one, every include fails. */
  readonly include?: IncludeReader;
  /** C: what has no rule; kill-thread if not given. Python: as `--default-action`, it overrides `@default`. */
  readonly defaultAction?: Action;
  readonly options?: ParseOptions;
}

export interface ParsedPolicy {
  readonly policy: Policy;
  /** Accepted, and probably not what was meant. */
  readonly warnings: readonly PolicyWarning[];
}

/** What could be made of a policy: with faults it is incomplete, and minijail rejects it. */
export interface PolicyAnalysis extends ParsedPolicy {
  readonly faults: readonly PolicyFault[];
}
