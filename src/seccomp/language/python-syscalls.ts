import type { Architecture, ArchitectureName } from '../architecture.js';
import type { Place } from './diagnostic.js';
import type { ParseOptions } from './parse-input.js';
import type { TokenCursor } from './token-cursor.js';

export interface NamedSyscall {
  readonly name: string;
  readonly number: number;
  readonly place: Place;
}

export interface SyscallContext {
  readonly architecture: Architecture;
  readonly syscallGroups?: ParseOptions['syscallGroups'];
}

/** What `[arch=…]` calls them. */
const METADATA_NAMES: Readonly<Record<ArchitectureName, string>> = {
  x86_64: 'x86_64',
  aarch64: 'arm64',
  arm: 'arm',
};

/**
 * `NAME [metadata]` or `GROUP@NAMESPACE [metadata]`: the syscalls meant; none if the metadata names other architectures
 * only, whose names are not looked up. Abandons the statement if it is neither.
 */
export function parsePythonSyscalls(
  cursor: TokenCursor,
  context: SyscallContext,
): readonly NamedSyscall[] {
  const token = cursor.next;
  // Of the action words only `kill` is a syscall as well.
  if (token === undefined || (token.kind !== 'identifier' && token.text !== 'kill')) {
    return cursor.refuse('invalid-syscall-name', "a syscall's name", "a rule is 'NAME: FILTER'");
  }
  cursor.take();
  if (cursor.isAt('open-bracket')) {
    const metadata = parseMetadata(cursor);
    const names = metadata.get('arch');
    if (names !== undefined && !names.includes(METADATA_NAMES[context.architecture.name]))
      return [];
  }
  const { text: name, place } = token;
  if (name.includes('@')) return syscallsOfGroup(name, place, cursor, context);
  return [lookUp(name, place, cursor, context)];
}

function lookUp(
  name: string,
  place: Place,
  cursor: TokenCursor,
  { architecture }: SyscallContext,
): NamedSyscall {
  const number = architecture.syscalls.get(name);
  if (number !== undefined) return { name, number, place };
  return cursor.findings.abandon('unknown-syscall', {
    place,
    message: `${architecture.name} has no syscall '${name}'`,
    remedy:
      cursor.findings.suggest('syscall', name, architecture.syscalls.keys()) ??
      `if other architectures have it, add [arch=NAME] for those`,
  });
}

function syscallsOfGroup(
  text: string,
  place: Place,
  cursor: TokenCursor,
  context: SyscallContext,
): readonly NamedSyscall[] {
  const [group = '', namespace = '', ...rest] = text.split('@');
  if (rest.length > 0) {
    return cursor.findings.abandon('invalid-syscall-name', {
      place,
      message: `'${text}' has more than one '@'`,
      remedy: "a group is written 'GROUP@NAMESPACE'",
    });
  }
  const groups = context.syscallGroups?.get(namespace);
  const names = groups?.get(group);
  if (names === undefined) {
    return cursor.findings.abandon('unknown-group', {
      place,
      message:
        groups === undefined
          ? `no namespace '${namespace}'`
          : `no group '${group}' in '${namespace}'`,
      remedy: cursor.findings.suggest(
        'group',
        groups === undefined ? namespace : group,
        groups?.keys() ?? context.syscallGroups?.keys() ?? [],
      ),
    });
  }
  return names.map((name) => lookUp(name, place, cursor, context));
}

/** `[key=value,value;key=value]`. */
function parseMetadata(cursor: TokenCursor): ReadonlyMap<string, readonly string[]> {
  const bracket = cursor.take();
  const metadata = new Map<string, readonly string[]>();
  while (cursor.next !== undefined) {
    const { place } = cursor;
    const key = cursor.expect(
      'identifier',
      'invalid-metadata',
      'a key',
      'as in [arch=x86_64,arm64]',
    );
    cursor.expect('equal', 'invalid-metadata', "'='", 'as in [arch=x86_64,arm64]');
    const values = parseValues(cursor);
    if (metadata.has(key.text)) {
      cursor.findings.abandon('duplicate-metadata', {
        place,
        message: `'${key.text}' for the second time`,
        remedy: "give one list of values, separated by ','",
      });
    }
    metadata.set(key.text, values);
    if (cursor.accept('semicolon') === undefined) break;
  }
  if (cursor.accept('close-bracket') === undefined) {
    cursor.findings.abandon('unclosed-bracket', {
      place: bracket?.place ?? cursor.place,
      message: "this '[' is not closed",
      remedy: "separate keys with ';' and close with ']'",
    });
  }
  return metadata;
}

function parseValues(cursor: TokenCursor): readonly string[] {
  const values: string[] = [];
  do {
    const value = cursor.expect(
      'identifier',
      'invalid-metadata',
      'a value',
      'architectures are x86_64, arm64, arm',
    );
    values.push(value.text);
  } while (cursor.accept('comma') !== undefined);
  return values;
}
