import { readFileSync } from 'node:fs';
import { UsageError } from './failure.js';

/** A file's text, or why it cannot be read. */
export function tryReadText(path: string): string | Error {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return new Error((error as NodeJS.ErrnoException).code ?? String(error), { cause: error });
  }
}

/** A file's text. @throws UsageError if it cannot be read */
export function readText(path: string): string {
  const text = tryReadText(path);
  if (typeof text !== 'string') throw new UsageError(`${path} cannot be read: ${text.message}`);
  return text;
}

/** A file's bytes. @throws UsageError if it cannot be read */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${path} cannot be read: ${code ?? String(error)}`);
  }
}
