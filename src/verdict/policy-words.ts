import { constants } from 'node:os';
import type { Architecture } from '../seccomp/architecture.js';
import type { Action, Atom, SourceSpan } from '../seccomp/policy.js';

/** The text of each file of a policy, by the name that its spans have. */
export type PolicyTexts = ReadonlyMap<string, string>;

/** An atom where it begins, up to what ends it in either dialect; not one that goes on in the next line. */
const ATOM = /^arg\d+\s*(?:[=!<>]=|[<>&]|in)\s*((?:(?!&&|\|\||[;,}#\\]).)+)/u;

/** Quotes a policy in its author's words. */
export class PolicyWords {
  readonly #lines = new Map<string, readonly string[]>();
  readonly #architecture: Architecture;
  #errnoNames: ReadonlyMap<number, string> | undefined;

  constructor(texts: PolicyTexts, architecture: Architecture) {
    for (const [file, text] of texts) this.#lines.set(file, text.split('\n'));
    this.#architecture = architecture;
  }

  /** `arg2 == MADV_DONTNEED`, as it is written; with the constant's value where the text is not at hand. */
  atom(atom: Atom): string {
    const { argument, operator } = atom;
    return `arg${argument} ${operator} ${this.constant(atom)}`;
  }

  /** What an atom compares with: `MADV_DONTNEED`. */
  constant({ value, span }: Atom): string {
    const { file, line, column } = span;
    const text = this.#lines.get(file)?.[line - 1]?.slice(column - 1) ?? '';
    return ATOM.exec(text)?.[1]?.trim() ?? hex(value);
  }

  /** What becomes of a system call, and of who makes it. */
  effect(action: Action): string {
    switch (action.kind) {
      case 'allow':
        return 'it is done';
      case 'log':
        return 'it is done, and logged';
      case 'errno':
        return `it fails with ${this.#errnoName(action.errno)}`;
      case 'trap':
        return 'its thread gets SIGSYS';
      case 'trace':
        return 'it fails with ENOSYS unless someone traces the process';
      case 'user-notify':
        return 'it is left to the supervisor';
      case 'kill-thread':
        return 'its thread is killed';
      case 'kill-process':
        return 'the process is killed';
    }
  }

  #errnoName(errno: number): string {
    this.#errnoNames ??= new Map(
      Object.keys(constants.errno).map((name) => [
        Number(this.#architecture.constants.get(name) ?? -1),
        name,
      ]),
    );
    return this.#errnoNames.get(errno) ?? `errno ${errno}`;
  }
}

/** `balloon_device.policy:9`. */
export function placeOf({ file, line }: SourceSpan): string {
  return `${file.slice(file.lastIndexOf('/') + 1)}:${line}`;
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
