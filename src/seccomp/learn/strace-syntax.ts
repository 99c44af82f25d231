/** One line of strace's output, without process and time. */
export type StraceLine =
  | { readonly kind: 'call'; readonly name: string; readonly args: string }
  | { readonly kind: 'unfinished'; readonly name: string; readonly args: string }
  | { readonly kind: 'resumed'; readonly name: string; readonly args: string }
  | { readonly kind: 'other' }
  /** Signals, exits and strace's own words. */
  | { readonly kind: 'event' };

export interface StraceEntry {
  /** '' if strace followed one process. */
  readonly process: string;
  readonly line: StraceLine;
}

const PROCESS = /^(?:\[pid\s+(\d+)\]\s+|(\d+)\s+(?!\.))/u;
/** -t, -tt, -ttt and -r. */
const TIME = /^(?:\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+|\+\d+\.\d+)\s+/u;
const CALL = /^([A-Za-z_]\w*)\(/u;
const RESUMED = /^<\.\.\. (\w+) resumed>\s*/u;
const UNFINISHED = /\s*<unfinished \.\.\.>\s*$/u;
const EVENT = /^(?:---|\+\+\+|strace: |\[ ?Process |Process \d+ )/u;

/** Reads a line of `strace`, `strace -f` or `strace -f -o`, with or without times. */
export function parseStraceLine(text: string): StraceEntry {
  const time = TIME.exec(text)?.[0] ?? '';
  const afterTime = text.slice(time.length);
  const found = time === '' ? PROCESS.exec(afterTime) : null;
  const process = found?.[1] ?? found?.[2] ?? '';
  const rest = afterTime.slice(found?.[0].length ?? 0).replace(time === '' ? TIME : '', '');
  return { process, line: lineOf(rest) };
}

function lineOf(text: string): StraceLine {
  if (text.trim() === '' || EVENT.test(text)) return { kind: 'event' };
  const resumed = RESUMED.exec(text);
  if (resumed !== null) {
    const rest = text.slice(resumed[0].length);
    return { kind: 'resumed', name: resumed[1] as string, args: beforeClosing(rest) };
  }
  const name = CALL.exec(text)?.[1];
  if (name === undefined) return { kind: 'other' };
  const rest = text.slice(name.length + 1);
  if (UNFINISHED.test(rest)) {
    return { kind: 'unfinished', name, args: rest.replace(UNFINISHED, '') };
  }
  return { kind: 'call', name, args: beforeClosing(rest) };
}

/** What stands before the parenthesis that closes the call. */
function beforeClosing(text: string): string {
  let end = text.length;
  scan(text, (at, depth) => {
    if (depth >= 0) return true;
    end = at;
    return false;
  });
  return text.slice(0, end);
}

/** The arguments, split at commas outside of strings, brackets and comments. */
export function splitArguments(text: string): readonly string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let start = 0;
  scan(text, (at, depth) => {
    if (text[at] === ',' && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
    return true;
  });
  return [...parts, text.slice(start).trim()];
}

/**
 * Walks over a text's structure, with how many brackets are open behind each character (-1 for one that closes more than
 * was opened), until `visit` says no. Strings, comments and what a descriptor stands for (`3</dev/null>`) are passed over.
 */
function scan(text: string, visit: (at: number, depth: number) => boolean): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === '"') at = endOfString(text, at);
    else if (text.startsWith('/*', at)) at = endOf(text, '*/', at + 2);
    else if (character === '<' && isDescriptorPath(text, at)) at = endOf(text, '>', at);
    else {
      if ('([{'.includes(character)) depth += 1;
      else if (')]}'.includes(character)) depth -= 1;
      if (!visit(at, depth)) return;
    }
  }
}

function isDescriptorPath(text: string, at: number): boolean {
  return /[\dD]/u.test(text[at - 1] ?? '') && text[at + 1] !== '<';
}

/** At the closing quote; a backslash hides what follows it. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

function endOf(text: string, end: string, from: number): number {
  const found = text.indexOf(end, from);
  return found < 0 ? text.length : found + end.length - 1;
}
