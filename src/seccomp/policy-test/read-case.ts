import { ACTION_WORDS, actionNamed, defaultActionNamed } from '../action-words.js';
import { type Architecture, architectureOf, UnknownArchitectureError } from '../architecture.js';
import type { ParseOptions } from '../language/parse-input.js';
import { normalisePath } from '../language/posix-path.js';
import type { Action, Dialect } from '../policy.js';
import { argumentValue, registerValue } from '../word-text.js';
import type { PolicyCase, PolicySource } from './policy-case.js';
import { isRecord, type TestDocument, TestFileError } from './test-document.js';

const ARGUMENTS = 6;

const DIALECTS: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ['minijail-c', 'minijail-c'],
  ['minijail-python', 'minijail-python'],
]);

const OPTIONS = [
  'allowDuplicates',
  'allowLogging',
  'allowLibcCompatibility',
  'allowSyslog',
  'denylist',
  'useRetLog',
  'useKillProcess',
] as const satisfies readonly (keyof ParseOptions)[];

/** Where a case stands, and what holds if it does not say it. */
export interface CaseContext {
  readonly index: number;
  readonly document: TestDocument;
  readonly file: string;
  readonly arch?: string | undefined;
  readonly dialect?: Dialect | undefined;
}

/**
 * Understands one value of `cases`.
 * @throws TestFileError if it is no case that could be run
 */
export function readCase(value: unknown, context: CaseContext): PolicyCase {
  if (isRecord(value)) return new CaseReader(value, context).read();
  const { index, document, file } = context;
  const { cases } = document.value as { readonly cases: readonly unknown[] };
  throw new TestFileError(
    file,
    document.positionOf(cases, index),
    `case ${index}: expected an object, got ${shown(value)}`,
  );
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

class CaseReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #id: string | number;
  readonly #context: CaseContext;

  constructor(fields: Readonly<Record<string, unknown>>, context: CaseContext) {
    this.#fields = fields;
    this.#context = context;
    const id = this.#get('id');
    this.#id = typeof id === 'string' || typeof id === 'number' ? id : context.index;
  }

  read(): PolicyCase {
    const architecture = this.#architecture();
    const expected = this.#expected(architecture);
    const dialect = this.#dialect();
    const defaultAction = this.#defaultAction(architecture, dialect);
    return {
      id: this.#id,
      architecture,
      dialect,
      source: this.#source(),
      ...(defaultAction === undefined ? {} : { defaultAction }),
      options: this.#options(),
      call: this.#call(architecture, expected),
      expected,
    };
  }

  /** Undefined for fields that are absent or null. */
  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  #refuse(field: string, reason: string): never {
    const { document, file } = this.#context;
    throw new TestFileError(
      file,
      document.positionOf(this.#fields, field),
      `case ${shown(this.#id)}: ${reason}`,
    );
  }

  #architecture(): Architecture {
    const name = this.#get('arch') ?? this.#context.arch;
    try {
      if (typeof name === 'string') return architectureOf(name);
    } catch (error) {
      if (!(error instanceof UnknownArchitectureError)) throw error;
      this.#refuse('arch', error.message);
    }
    return this.#refuse('arch', `"arch" is x86_64, aarch64 or arm, got ${shown(name)}`);
  }

  #dialect(): Dialect {
    const name = this.#get('dialect') ?? this.#context.dialect;
    const dialect = DIALECTS.get(name);
    if (dialect !== undefined) return dialect;
    return this.#refuse(
      'dialect',
      `"dialect" is "minijail-c" or "minijail-python", got ${shown(name)}`,
    );
  }

  #source(): PolicySource {
    const text = this.#get('policy');
    const path = this.#get('policyFile');
    const files = this.#files();
    if (text === undefined && typeof path === 'string') return { path, files };
    if (path === undefined && typeof text === 'string') return { text, files };
    const field = path === undefined ? 'policy' : 'policyFile';
    return this.#refuse(field, 'give either "policy", a text, or "policyFile", a path');
  }

  #files(): ReadonlyMap<string, string> {
    const value = this.#get('files') ?? {};
    if (!isRecord(value)) return this.#refuse('files', '"files" is an object of texts by name');
    return new Map(
      Object.entries(value).map(([name, text]) => {
        if (typeof text === 'string') return [normalisePath(name), text];
        return this.#refuse('files', `the file ${shown(name)} is a text, got ${shown(text)}`);
      }),
    );
  }

  #defaultAction({ constants }: Architecture, dialect: Dialect): Action | undefined {
    const word = this.#get('defaultAction');
    if (word === undefined) return undefined;
    const action =
      typeof word === 'string' ? defaultActionNamed(word, dialect, constants) : undefined;
    return (
      action ??
      this.#refuse('defaultAction', `"defaultAction" is one of ${ACTION_WORDS}, got ${shown(word)}`)
    );
  }

  #options(): ParseOptions {
    const value = this.#get('options') ?? {};
    if (!isRecord(value)) return this.#refuse('options', '"options" is an object');
    for (const [name, set] of Object.entries(value)) {
      if (!OPTIONS.some((option) => option === name) || typeof set !== 'boolean') {
        this.#refuse('options', `"options" may set ${OPTIONS.join(', ')}, to true or false`);
      }
    }
    return value as ParseOptions;
  }

  #expected({ constants }: Architecture): Action | 'error' {
    const word = this.#get('expect');
    if (typeof word === 'string') {
      if (word.trim().toLowerCase() === 'error') return 'error';
      const action = actionNamed(word, constants);
      if (action !== undefined) return action;
    }
    return this.#refuse(
      'expect',
      '"expect" is ALLOW, KILL_PROCESS, KILL_THREAD, TRAP, ERRNO(n), USER_NOTIF, TRACE, LOG or error, ' +
        `got ${shown(word)}`,
    );
  }

  #call(architecture: Architecture, expected: Action | 'error'): PolicyCase['call'] {
    const number = this.#number(architecture, expected);
    const args = this.#args(architecture);
    return number === undefined ? undefined : { number, args };
  }

  #number(architecture: Architecture, expected: Action | 'error'): number | undefined {
    const name = this.#get('syscall');
    const number = this.#explicitNumber();
    if (name === undefined) {
      if (number !== undefined || expected === 'error') return number;
      this.#refuse('syscall', 'give "syscall", a name, or "nr", a number');
    }
    if (typeof name !== 'string')
      this.#refuse('syscall', `"syscall" is a name, got ${shown(name)}`);
    const known = architecture.syscalls.get(name);
    if (number !== undefined) {
      if (known === undefined || known === number) return number;
      this.#refuse('nr', `${name} is ${known} on ${architecture.name}, and "nr" is ${number}`);
    }
    if (known !== undefined || expected === 'error') return known;
    return this.#refuse(
      'syscall',
      `${architecture.name} has no syscall ${shown(name)} that is known here; give its number as "nr"`,
    );
  }

  /** A register's 32 bits, so -1 is 0xffffffff. */
  #explicitNumber(): number | undefined {
    const value = this.#get('nr');
    if (value === undefined) return undefined;
    const word = this.#integer(value);
    if (word === undefined || word >= 1n << 32n || word < -(1n << 31n)) {
      this.#refuse('nr', `"nr" is a whole number of 32 bits, got ${shown(value)}`);
    }
    return Number(BigInt.asUintN(32, word));
  }

  #integer(value: unknown): bigint | undefined {
    if (typeof value === 'bigint') return value;
    if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
    if (typeof value !== 'string' || !/^-?(?:\d+|0x[0-9a-f]+)$/iu.test(value)) return undefined;
    return value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value);
  }

  #args({ constants, wordBits }: Architecture): readonly bigint[] {
    const value = this.#get('args') ?? [];
    if (!Array.isArray(value) || value.length > ARGUMENTS) {
      return this.#refuse('args', `"args" is a list of at most ${ARGUMENTS} arguments`);
    }
    return value.map((argument: unknown, index) => {
      if (argument === null) return 0n;
      const integer = this.#integer(argument);
      const word =
        integer !== undefined
          ? registerValue(integer)
          : typeof argument === 'string'
            ? argumentValue(argument, constants)
            : undefined;
      if (word !== undefined) return BigInt.asUintN(wordBits, word);
      return this.#refuse(
        'args',
        `argument ${index} is a whole number of at most 64 bits, or one as a string ("0x…"), got ${shown(argument)}`,
      );
    });
  }
}
