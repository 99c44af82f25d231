import { Clock } from '../../../hal/clock.js';
import type { HalOf } from '../../../hal/contract/define.js';
import { type Nanoseconds, NS_PER_S } from '../../../hal/contract/units.js';
import type { EventSource } from '../../../reactor/reactor.js';

/** A process has to start before it can give its first answer: seconds on a busy host, many in an emulated one. */
const FIRST_ANSWER_NS: Nanoseconds = 30 * NS_PER_S;
/**
 * Twice this is less than the five seconds that the micro guest waits for its device. On a host so slow or so busy that the
 * first answer took longer, any other may take as long.
 */
const LEAST_ANSWER_NS: Nanoseconds = 1.5 * NS_PER_S;
/** Once is not enough: if this process was stopped for a while, the timer is heard before the answers that wait behind it. */
const SILENCES = 2;

/**
 * Notices a device that hangs without ending. The timer runs only while an answer is due, so that a quiet run has no
 * turns because of it.
 */
export class AnswerDeadline {
  readonly #clock: HalOf<typeof Clock>;
  readonly #events: Pick<EventSource, 'nowNs'>;
  readonly #timer: number;
  readonly #unsubscribe: () => void;
  readonly #onMissed: () => void;
  #intervalNs = FIRST_ANSWER_NS;
  /** Since when the first answer is due. */
  #firstDueNs: Nanoseconds | undefined;
  #hasAnswered = false;
  #isRunning = false;
  #silences = 0;
  #isOpen = true;

  /** @param onMissed called when an answer has been due too long. */
  constructor(
    clock: HalOf<typeof Clock>,
    events: Pick<EventSource, 'on' | 'nowNs'>,
    onMissed: () => void,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#onMissed = onMissed;
    this.#timer = clock.createTimer({ name: 'device.answer' });
    this.#unsubscribe = events.on(Clock, 'expired', this.#timer, () => this.#expired());
  }

  /** An answer is due. */
  expect(): void {
    if (this.#isRunning || !this.#isOpen) return;
    this.#firstDueNs ??= this.#events.nowNs;
    this.#isRunning = true;
    this.#silences = 0;
    this.#clock.arm({ timer: this.#timer, first: this.#intervalNs, period: this.#intervalNs });
  }

  /** An answer came. */
  heard(): void {
    this.#silences = 0;
    if (this.#hasAnswered) return;
    this.#hasAnswered = true;
    const { nowNs } = this.#events;
    this.#intervalNs = Math.max(LEAST_ANSWER_NS, nowNs - (this.#firstDueNs ?? nowNs));
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.expect();
  }

  /** No answer is due any more. */
  rest(): void {
    if (!this.#isRunning || !this.#isOpen) return;
    this.#isRunning = false;
    this.#clock.disarm({ timer: this.#timer });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unsubscribe();
    this.#clock.closeTimer({ timer: this.#timer });
  }

  #expired(): void {
    this.#silences++;
    if (this.#silences >= SILENCES) this.#onMissed();
  }
}
