import { Clock } from '../hal/clock.js';
import type { HalOf } from '../hal/contract/define.js';
import {
  BALLOON_PAGE_BYTES,
  BYTES_PER_MIB,
  type Bytes,
  type MiB,
  NS_PER_S,
} from '../hal/contract/units.js';
import type { VmEnd } from '../machine/vm-end.js';
import type { EventSource } from '../reactor/reactor.js';
import type { Scenario, ScenarioStep } from './scenario.js';

/** What a step found out. */
export interface ScenarioNote {
  readonly name: string;
  /** Since the scenario began. */
  readonly seconds: number;
  readonly value: string | Readonly<Record<string, number | string>>;
}

/** What the steps do it to. */
export interface ScenarioHost {
  type(data: Uint8Array): void;
  setBalloon(target: MiB): void;
  /** What the host holds for the guest. */
  residentBytes(): Bytes;
  requestStats(answered: (stats: Readonly<Record<string, number | string>>) => void): void;
  killDevice(): void;
  finish(end: VmEnd): void;
  noted(note: ScenarioNote): void;
}

/** Does the steps one after the other, each in the turn of the event that ends the one before. */
export class ScenarioRun {
  readonly #scenario: Scenario;
  readonly #host: ScenarioHost;
  readonly #clock: HalOf<typeof Clock>;
  readonly #events: EventSource;
  readonly #timer: number;
  readonly #startNs: number;
  #next = 0;
  #current: ScenarioStep | undefined;
  #actualPages = 0;
  #isOver = false;

  /** Inside a turn. */
  constructor(
    scenario: Scenario,
    clock: HalOf<typeof Clock>,
    events: EventSource,
    host: ScenarioHost,
  ) {
    this.#scenario = scenario;
    this.#host = host;
    this.#clock = clock;
    this.#events = events;
    this.#startNs = events.nowNs;
    this.#timer = clock.createTimer({ name: 'run.scenario' });
    events.on(Clock, 'expired', this.#timer, () => this.#expired());
    this.#goOn();
  }

  /** The guest's console shows a line. */
  line(text: string): void {
    const step = this.#current;
    if (step === undefined || !('waitLine' in step)) return;
    const match = new RegExp(step.waitLine).exec(text);
    if (match === null) return;
    if (step.as !== undefined) this.#note(step.as, match[1] ?? match[0]);
    this.#done();
  }

  /** The guest says what its balloon holds. */
  actual(pages: number): void {
    this.#actualPages = pages;
    const step = this.#current;
    if (step !== undefined && 'waitActualMiB' in step && this.#holds(step.waitActualMiB)) {
      this.#done();
    }
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#current = undefined;
    this.#clock.closeTimer({ timer: this.#timer });
  }

  #done(): void {
    this.#current = undefined;
    this.#clock.disarm({ timer: this.#timer });
    this.#goOn();
  }

  /** Does what can be done at once, up to a step that waits. */
  #goOn(): void {
    while (this.#current === undefined && !this.#isOver) {
      const step = this.#scenario.steps[this.#next++];
      if (step === undefined) return;
      this.#begin(step);
    }
  }

  #begin(step: ScenarioStep): void {
    const host = this.#host;
    if ('type' in step) host.type(new TextEncoder().encode(`${step.type}\n`));
    else if ('balloonMiB' in step) host.setBalloon(step.balloonMiB);
    else if ('measure' in step) this.#measure(step.measure);
    else if ('killDevice' in step) host.killDevice();
    else if ('stop' in step) host.finish({ kind: 'stopped', why: 'the scenario is done' });
    else if ('waitActualMiB' in step && this.#holds(step.waitActualMiB)) return;
    else this.#wait(step);
  }

  #wait(step: ScenarioStep): void {
    this.#current = step;
    const seconds = 'seconds' in step ? step.seconds : this.#scenario.stepTimeoutSeconds;
    const first = Math.max(1, Math.round(seconds * NS_PER_S));
    this.#clock.arm({ timer: this.#timer, first, period: 0 });
    if (!('stats' in step)) return;
    this.#host.requestStats((stats) => {
      if (this.#current !== step) return;
      this.#note(step.stats, stats);
      this.#done();
    });
  }

  #expired(): void {
    const step = this.#current;
    if (step === undefined) return;
    if ('seconds' in step) {
      this.#done();
      return;
    }
    const why = `step ${this.#next} of the scenario, ${JSON.stringify(step)}, took longer than ${this.#scenario.stepTimeoutSeconds} s`;
    this.#host.finish({ kind: 'scenario-failed', why });
  }

  #measure(name: string): void {
    this.#note(name, {
      residentBytes: this.#host.residentBytes(),
      actualBytes: this.#actualPages * BALLOON_PAGE_BYTES,
    });
  }

  #note(name: string, value: ScenarioNote['value']): void {
    const seconds = (this.#events.nowNs - this.#startNs) / NS_PER_S;
    this.#host.noted({ name, seconds, value });
  }

  #holds(target: MiB): boolean {
    return this.#actualPages * BALLOON_PAGE_BYTES === target * BYTES_PER_MIB;
  }
}
