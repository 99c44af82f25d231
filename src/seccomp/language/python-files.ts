import type { Action, Filter } from '../policy.js';
import type { Place } from './diagnostic.js';
import type { Findings } from './findings.js';
import { includedText } from './included-text.js';
import type { IncludeReader, ParseOptions } from './parse-input.js';
import { besideFile } from './posix-path.js';
import { type PythonContext, parsePythonDefault } from './python-action.js';
import { parsePythonFilters } from './python-filter.js';
import { parseFrequencies } from './python-frequency.js';
import { lexPython, type Statement } from './python-lexer.js';
import { type NamedSyscall, parsePythonSyscalls, type SyscallContext } from './python-syscalls.js';
import { TokenCursor } from './token-cursor.js';

/** So many files may be in each other, the main one included. */
const DEPTH_LIMIT = 9;

/** A guard of ours: includes that include each other in pairs grow without bounds. */
const INCLUDE_LIMIT = 4096;

/** Filters for syscalls, in the order of the source. */
export interface FilterStatement {
  readonly syscalls: readonly NamedSyscall[];
  readonly filters: readonly Filter[];
  /** The colon. */
  readonly place: Place;
}

export interface PythonFilesContext extends PythonContext, SyscallContext {
  readonly findings: Findings;
  readonly include?: IncludeReader | undefined;
  readonly syscallGroups?: ParseOptions['syscallGroups'];
}

/** Walks a policy and what it includes. */
export class PythonFiles {
  readonly #context: PythonFilesContext;
  readonly #statements: FilterStatement[] = [];
  /** By name, then added up. */
  readonly #frequencies = new Map<string, number>();
  readonly #open: string[] = [];
  #includes = 0;
  #defaultAction: Action | undefined;

  constructor(context: PythonFilesContext) {
    this.#context = context;
  }

  get statements(): readonly FilterStatement[] {
    return this.#statements;
  }

  get frequencies(): ReadonlyMap<string, number> {
    return this.#frequencies;
  }

  /** Of the last `@default`. */
  get defaultAction(): Action | undefined {
    return this.#defaultAction;
  }

  /** Reports faults; `main` is how messages name the first file. */
  read(text: string, file: string): void {
    const { findings, denylist } = this.#context;
    this.#open.push(file);
    const { statements, dropped } = lexPython(text, file, findings);
    let isDenylist = false;
    for (const statement of statements) {
      findings.attempt(() => {
        const cursor = new TokenCursor(statement, findings);
        if (cursor.isAt('denylist')) isDenylist = true;
        this.#parseStatement(cursor, file);
      });
    }
    if (denylist && !isDenylist) this.#refuseAllowlist(text, file, statements);
    if (dropped !== undefined) this.#warnOfDropped(dropped);
    this.#open.pop();
  }

  #refuseAllowlist(text: string, file: string, statements: readonly Statement[]): void {
    const first = statements[0]?.tokens[0]?.place;
    this.#context.findings.fault('denylist-mismatch', {
      place: first ?? {
        span: { file, line: 1, column: 1, length: 1 },
        sourceLine: text.split(/[\r\n]/u, 1)[0] ?? '',
      },
      message: 'compiled as a denylist, and this file does not say @denylist',
      remedy: "begin the file with the line '@denylist'",
    });
  }

  #warnOfDropped({ tokens }: Statement): void {
    const [first] = tokens;
    if (first === undefined) return;
    this.#context.findings.warn('rule-dropped-at-end', {
      place: first.place,
      message: 'the file ends in a backslash: this statement is dropped',
      remedy: 'remove the backslash',
    });
  }

  #parseStatement(cursor: TokenCursor, file: string): void {
    if (cursor.accept('include') !== undefined) this.#include(cursor, file);
    else if (cursor.accept('frequency') !== undefined) this.#readFrequencies(cursor, file);
    else if (cursor.accept('default') !== undefined) {
      this.#defaultAction = parsePythonDefault(cursor, this.#context);
    } else if (cursor.isAt('denylist')) this.#acceptDenylist(cursor);
    else this.#parseFilterStatement(cursor);
    if (cursor.next !== undefined) {
      cursor.findings.abandon('extra-token', {
        place: cursor.place,
        message: `'${cursor.next.text}' after the end of the statement`,
        remedy: extraRemedy(cursor.next.text),
      });
    }
  }

  #acceptDenylist(cursor: TokenCursor): void {
    const { place } = cursor;
    cursor.take();
    if (this.#context.denylist) return;
    cursor.findings.abandon('denylist-mismatch', {
      place,
      message: 'the policy is a denylist, and is not compiled as one',
      remedy: 'ask for a denylist, or remove @denylist',
    });
  }

  #parseFilterStatement(cursor: TokenCursor): void {
    const syscalls = this.#parseSyscalls(cursor);
    const { place } = cursor;
    cursor.expect('colon', 'missing-colon', "':'", "a rule is 'NAME: FILTER'");
    const filters = parsePythonFilters(cursor, this.#context);
    if (syscalls.length > 0) this.#statements.push({ syscalls, filters, place });
    else this.#skipRest(cursor);
  }

  /** What follows a statement for other architectures is not even looked at. */
  #skipRest(cursor: TokenCursor): void {
    const { next, place } = cursor;
    if (next === undefined) return;
    cursor.findings.warn('ignored-text', {
      place,
      message: `ignored on this architecture: '${next.text}' and what follows`,
      remedy: 'remove it; where the rule counts it is a fault',
    });
    while (cursor.next !== undefined) cursor.take();
  }

  #parseSyscalls(cursor: TokenCursor): readonly NamedSyscall[] {
    const brace = cursor.accept('open-brace');
    if (brace === undefined) return parsePythonSyscalls(cursor, this.#context);
    const syscalls: NamedSyscall[] = [];
    while (cursor.next !== undefined) {
      syscalls.push(...parsePythonSyscalls(cursor, this.#context));
      if (cursor.accept('comma') === undefined) break;
    }
    if (cursor.accept('close-brace') === undefined) {
      cursor.findings.abandon('unclosed-brace', {
        place: brace.place,
        message: "this '{' is not closed",
        remedy: "separate syscalls with ',' and close with '}'",
      });
    }
    return syscalls;
  }

  #include(cursor: TokenCursor, file: string): void {
    const { findings, include } = this.#context;
    const path = cursor.expect('path', 'invalid-path', 'a path', "it starts with './' or '/'");
    this.#includes += 1;
    const target = besideFile(file, path.text);
    if (this.#open.length === DEPTH_LIMIT || this.#open.includes(target)) {
      findings.abandon('include-too-deep', {
        place: path.place,
        message: this.#open.includes(target)
          ? `'${target}' includes itself`
          : `more than ${DEPTH_LIMIT} files in each other`,
      });
    }
    if (this.#includes > INCLUDE_LIMIT) {
      findings.abandon('too-many-includes', {
        place: path.place,
        message: `more than ${INCLUDE_LIMIT} includes`,
      });
    }
    const inclusion = {
      code: 'include-unreadable',
      path: target,
      place: path.place,
      remedy: 'the Python dialect takes it relative to the file that includes it',
    } as const;
    const text = includedText(inclusion, include, findings);
    this.read(text, target);
  }

  #readFrequencies(cursor: TokenCursor, file: string): void {
    const { findings, include } = this.#context;
    const path = cursor.expect('path', 'invalid-path', 'a path', "it starts with './' or '/'");
    const target = besideFile(file, path.text);
    const inclusion = {
      code: 'frequency-unreadable',
      path: target,
      place: path.place,
      remedy: 'the Python dialect takes it relative to the file that names it',
    } as const;
    const text = includedText(inclusion, include, findings);
    for (const [name, frequency] of parseFrequencies(text, target, this.#context)) {
      this.#frequencies.set(name, (this.#frequencies.get(name) ?? 0) + frequency);
    }
  }
}

function extraRemedy(text: string): string | undefined {
  if (text === '|' || text === '||' || text === '&&') {
    return 'after an action there is no more expression';
  }
  if (text === ':') return 'one rule a line';
  if (text === ';') return "there is one ';' only, before the action; several filters are '{…, …}'";
  return 'one statement a line; a final backslash continues it';
}
