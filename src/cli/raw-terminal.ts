import { PassThrough } from 'node:stream';

/** Ends the run while every other key is the guest's: Ctrl-], as in telnet. */
export const ESCAPE_KEY = 0x1d;

/** What of process.stdin is used. */
export interface TerminalStdin {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
  on(event: 'data', listener: (data: Buffer) => void): unknown;
  off(event: 'data', listener: (data: Buffer) => void): unknown;
  pause(): unknown;
  unref?(): unknown;
}

export interface RawTerminal {
  /** What the user types, without the escape key. */
  readonly input: PassThrough;
  /** Gives the terminal back as it was. May be called again. */
  restore(): void;
}

/**
 * Hands single keys over instead of lines, so that the guest echoes and edits, and Ctrl-C is the guest's.
 *
 * @param quit called for the escape key.
 */
export function rawTerminal(stdin: TerminalStdin, quit: () => void): RawTerminal {
  const input = new PassThrough();
  const take = (data: Buffer): void => {
    const at = data.indexOf(ESCAPE_KEY);
    if (at !== 0) input.write(at < 0 ? data : data.subarray(0, at));
    if (at >= 0) quit();
  };
  stdin.setRawMode?.(true);
  stdin.on('data', take);
  stdin.unref?.();
  let isRaw = true;
  return {
    input,
    restore: () => {
      if (!isRaw) return;
      isRaw = false;
      stdin.off('data', take);
      stdin.pause();
      stdin.setRawMode?.(false);
    },
  };
}
