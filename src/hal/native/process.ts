import { UnsupportedError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { Process } from '../process.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** `Process` for a program of one lane: the signals that ask it to end. Starting another lane is not offered. */
export function processOf(): Implementation<typeof Process> {
  const listeners = new Map<(typeof SIGNALS)[number], () => void>();
  const refuse = (): never => {
    throw new UnsupportedError(
      'This composition runs one process',
      'Give it the means to start another (device placement "process").',
    );
  };
  return implement(
    Process,
    (emit) => {
      for (const signal of SIGNALS) {
        const listener = () => emit.interrupted({ signal });
        listeners.set(signal, listener);
        process.on(signal, listener);
      }
      return { spawn: refuse, kill: refuse };
    },
    {
      dispose: () => {
        for (const [signal, listener] of listeners) process.off(signal, listener);
        listeners.clear();
      },
    },
  );
}
