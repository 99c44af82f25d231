import type { GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import type { SplitQueue } from '../virtio/split-queue.js';
import { acknowledge } from './acknowledge.js';
import { FIRST_HINT_COMMAND, HINT_DONE, HINT_STOP, LAST_HINT_COMMAND } from './constants.js';
import type { FreeRanges } from './free-ranges.js';
import type { BalloonMetrics } from './metrics.js';

/**
 * How far hinting is. The guest's command equal to ours means that it has *started*; our own being DONE means that it is
 * done: polling for the former as the end is a mistake that others have made.
 */
export type HintingState = 'idle' | 'asked' | 'started' | 'done';

/** Why a round is over: the driver had no more to hint, the host had enough, or the driver is gone. */
export type HintingEnd = 'complete' | 'stopped' | 'reset';

export interface HintingListener {
  /** The driver took the command up; its hints follow. */
  hintingStarted?(command: number): void;
  /** No page hinted in this round is touched any more. */
  hintingEnded?(command: number, end: HintingEnd): void;
}

/** Hinting's part of a snapshot. */
export interface HintingSnapshot {
  /** As in the config space. */
  readonly command: number;
  /** The last that started a round; 1 if there was none. */
  readonly lastCommand: number;
  /** The driver has said STOP since then. */
  readonly isStopSeen: boolean;
}

const COMMAND_BYTES = 4;

/**
 * The free page hinting queue (virtio 1.2, 5.5.6.5). A command id in the config space starts a round; the driver answers
 * with the id in a buffer of 4 bytes, then with free memory as device-writable buffers, then with STOP. Hinted memory is
 * given back to the host at once, and DONE at the end gives it back to the guest.
 *
 * A driver may use a hinted page before it has seen the acknowledgement. The device serves a hint within the turn that
 * hears of it, which makes the window small and does not close it: it is for guests that are known to wait.
 */
export class HintingQueue {
  readonly #memory: GuestMemory;
  readonly #ranges: FreeRanges;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;
  readonly #listener: HintingListener;
  readonly #onCommand: (command: number) => void;
  readonly #buffer = new Uint8Array(COMMAND_BYTES);
  /** As in the config space. */
  #command = HINT_STOP;
  #lastCommand = HINT_DONE;
  #isStopSeen = true;
  /** What the driver's hints are for, by its own word. */
  #driverCommand = HINT_STOP;

  /** @param onCommand puts the command id into the config space. */
  constructor(
    memory: GuestMemory,
    ranges: FreeRanges,
    faults: GuestFaults,
    metrics: BalloonMetrics,
    listener: HintingListener,
    onCommand: (command: number) => void,
  ) {
    this.#memory = memory;
    this.#ranges = ranges;
    this.#faults = faults;
    this.#metrics = metrics;
    this.#listener = listener;
    this.#onCommand = onCommand;
  }

  get state(): HintingState {
    if (this.#command === HINT_STOP) return 'idle';
    if (this.#command === HINT_DONE) return 'done';
    return this.#isStarted ? 'started' : 'asked';
  }

  /**
   * Starts a round.
   *
   * @returns its command id; 'running' if one is under way; 'stop-missing' if ids have to be used again and the driver
   *   has not yet said STOP, before which none may be.
   */
  start(): number | 'running' | 'stop-missing' {
    if (this.#isRunning) return 'running';
    const isLast = this.#lastCommand === LAST_HINT_COMMAND;
    if (isLast && !this.#isStopSeen) return 'stop-missing';
    this.#lastCommand = isLast ? FIRST_HINT_COMMAND : this.#lastCommand + 1;
    this.#isStopSeen = false;
    this.#metrics.hintRounds++;
    this.#set(this.#lastCommand);
    return this.#lastCommand;
  }

  /** The host has enough: the guest has its pages back. @returns false if no round is under way. */
  stop(): boolean {
    if (!this.#isRunning) return false;
    this.#end('stopped', HINT_DONE);
    return true;
  }

  /** The driver is gone, and its hints with it. The next one may see any id. */
  reset(): void {
    if (this.#isRunning) this.#end('reset', HINT_STOP);
    else this.#set(HINT_STOP);
    this.#driverCommand = HINT_STOP;
    this.#isStopSeen = true;
  }

  /**
   * Goes on after a predecessor that left this command in the config space. What it was told of a round that is not over
   * is lost, so that round ends.
   */
  takeOver(command: number): void {
    this.#command = command;
    this.#driverCommand = HINT_STOP;
    if (!this.#isRunning) return;
    this.#lastCommand = command;
    this.#isStopSeen = false;
    this.#set(HINT_DONE);
  }

  snapshot(): HintingSnapshot {
    const command = this.#command;
    return { command, lastCommand: this.#lastCommand, isStopSeen: this.#isStopSeen };
  }

  /** A round that was under way ends: what was hinted before the snapshot may be in use after it. */
  restore(snapshot: HintingSnapshot): void {
    this.takeOver(snapshot.command);
    this.#lastCommand = snapshot.lastCommand;
    this.#isStopSeen = snapshot.isStopSeen;
  }

  /**
   * Serves what was drained. Memory is given back before `used.idx` moves and before DONE is said.
   *
   * @returns true if the driver wants an interrupt.
   */
  serve(queue: SplitQueue): boolean {
    const { batch } = queue;
    const end = batch.firstOf(batch.length);
    let isComplete = false;
    for (let descriptor = 0; descriptor < end; descriptor++) {
      const address = batch.addressOf(descriptor);
      const length = batch.lengthOf(descriptor);
      if (!batch.isWritable(descriptor)) {
        isComplete = this.#takeCommand(address, length) || isComplete;
      } else if (this.#isStarted && !isComplete) {
        this.#ranges.add(address, length);
      } else {
        this.#metrics.hintsIgnored++;
      }
    }
    this.#metrics.hintedPages += this.#ranges.giveBack();
    this.#metrics.hintRequests += batch.length;
    const wantsInterrupt = acknowledge(queue);
    if (isComplete) this.#end('complete', HINT_DONE);
    return wantsInterrupt;
  }

  get #isStarted(): boolean {
    return this.#isRunning && this.#driverCommand === this.#command;
  }

  get #isRunning(): boolean {
    return this.#command >= FIRST_HINT_COMMAND;
  }

  /** @returns true if the driver says that it has hinted all that it has. */
  #takeCommand(address: number, length: number): boolean {
    if (length !== COMMAND_BYTES) {
      this.#faults.count('hint-command-length');
      return false;
    }
    if (this.#memory.read(address, this.#buffer) !== 'ok') {
      this.#faults.count('buffer-outside-ram');
      return false;
    }
    const command = new DataView(this.#buffer.buffer).getUint32(0, true);
    const wasStarted = this.#isStarted;
    this.#driverCommand = command;
    if (command === HINT_STOP) {
      this.#isStopSeen = true;
      return wasStarted;
    }
    if (!wasStarted && this.#isStarted) this.#listener.hintingStarted?.(command);
    return false;
  }

  #end(end: HintingEnd, command: typeof HINT_STOP | typeof HINT_DONE): void {
    const ended = this.#command;
    this.#set(command);
    this.#listener.hintingEnded?.(ended, end);
  }

  #set(command: number): void {
    if (this.#command === command) return;
    this.#command = command;
    this.#onCommand(command);
  }
}
