import type { VmEnd } from './vm-end.js';

/** What Linux prints when it gives up, and again when it then stays where it is (kernel/panic.c). */
const PANIC = /Kernel panic - not syncing: (.*)$/;
const END_OF_PANIC = /---\[ end Kernel panic - not syncing/;

/**
 * Reads along on a Linux guest's console. After a panic the kernel either resets, as `panic=-1` makes it, or stays for
 * ever; both end the machine, and for the panic.
 */
export class PanicWatch {
  readonly #finish: (end: VmEnd) => void;
  #message: string | undefined;

  constructor(finish: (end: VmEnd) => void) {
    this.#finish = finish;
  }

  line(text: string): void {
    if (END_OF_PANIC.test(text)) this.end({ kind: 'reset' });
    else this.#message ??= PANIC.exec(text)?.[1]?.trim();
  }

  /** Ends the machine; if the guest has panicked, that is why. */
  end(end: VmEnd): void {
    this.#finish(this.reasonOf(end));
  }

  /** Why the machine ends with this. */
  reasonOf(end: VmEnd): VmEnd {
    const message = this.#message;
    return message === undefined ? end : { kind: 'panic', message };
  }
}
