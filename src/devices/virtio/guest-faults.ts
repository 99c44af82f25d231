/** What a guest can get wrong. The names are stable: metrics and tests use them. */
export const GUEST_FAULTS = [
  // Split queue
  'avail-index-jump',
  'bad-head',
  'bad-next',
  'descriptor-reused',
  'indirect-descriptor',
  'readable-after-writable',
  // Transport
  'register-access',
  'register-state',
  'bad-status',
  'feature-not-offered',
  'features-refused',
  'bad-notify',
  'config-access',
  'activation-refused',
  // Balloon
  'write-only-buffer',
  'buffer-outside-ram',
  'pfn-list-length',
  'pfn-outside-ram',
  'pfn-duplicate',
  'pfn-over-limit',
  'stats-length',
  'stats-value',
  'stats-extra-buffer',
  'read-only-buffer',
  'range-unaligned',
  'range-outside-ram',
  'range-overlap',
  'hint-command-length',
  'poison-changed',
  // Block
  'block-no-status',
  'block-header',
  'block-length',
  'block-range',
  'block-over-limit',
  'block-read-only',
  'block-unsupported',
] as const;

export type GuestFault = (typeof GUEST_FAULTS)[number];
export type GuestFaultCounts = Readonly<Record<GuestFault, number>>;

/** Told of a fault and how often it has happened now. */
export type FaultListener = (fault: GuestFault, count: number) => void;

/**
 * Counts what a guest did wrong. A hostile guest can cause millions of faults, so the listener hears of a kind only when
 * its count passes a power of two: at most 53 reports each, without a clock.
 */
export class GuestFaults {
  readonly #counts: Record<GuestFault, number>;
  readonly #listener: FaultListener | undefined;

  constructor(listener?: FaultListener) {
    const zeros = GUEST_FAULTS.map((fault): [GuestFault, number] => [fault, 0]);
    this.#counts = Object.fromEntries(zeros) as Record<GuestFault, number>;
    this.#listener = listener;
  }

  count(fault: GuestFault, times = 1): void {
    if (times === 0) return;
    const before = this.#counts[fault];
    const after = before + times;
    this.#counts[fault] = after;
    if (this.#listener !== undefined && passesPowerOfTwo(before, after)) {
      this.#listener(fault, after);
    }
  }

  of(fault: GuestFault): number {
    return this.#counts[fault];
  }

  get counts(): GuestFaultCounts {
    return { ...this.#counts };
  }
}

function passesPowerOfTwo(before: number, after: number): boolean {
  return before === 0 || Math.floor(Math.log2(after)) > Math.floor(Math.log2(before));
}
