import type { Channel } from '../hal/channel.js';
import { Clock } from '../hal/clock.js';
import { type MiB, type Nanoseconds, NS_PER_MS } from '../hal/contract/units.js';
import type { Entropy } from '../hal/entropy.js';
import type { HostFiles } from '../hal/host-files.js';
import { MemPressure } from '../hal/mem-pressure.js';
import type { EventSource } from '../reactor/reactor.js';
import { attempt } from './attempt.js';
import { encodeTarget } from './control-message.js';
import {
  checkMarginSetting,
  type FigureReader,
  figureReader,
  type MarginSetting,
} from './figure-reader.js';
import type { PolicyObserver } from './policy-observer.js';
import { initialState, step, wantsDraws, wantsObservation } from './step-policy.js';
import type {
  LowMemoryDraws,
  Observation,
  StepAction,
  StepConfig,
  StepInput,
  StepState,
  StepTimer,
} from './step-types.js';

export interface PolicyHostOptions extends StepConfig {
  /** The control channel to the device. */
  readonly control: number;
  /** Counts where the kernel has no margin of its own. Default `auto`. */
  readonly margin?: MarginSetting;
  /** How often the source `meminfo` looks, while a low-memory event is wanted. Default 100 ms; not scaled. */
  readonly pollIntervalNs?: Nanoseconds;
  /** False: the figures are read for the observer and the trace, and nothing is done. Default true. */
  readonly acts?: boolean;
  /** Reads the figures this often for the observer and the trace too; not scaled. Default: only when the policy does. */
  readonly sampleIntervalNs?: Nanoseconds;
}

const DEFAULT_POLL_NS = 100 * NS_PER_MS;

/** What a policy needs of the reactor. */
export type PolicyEvents = Pick<EventSource, 'nowNs' | 'on'>;

/** The hardware that a policy uses. */
export interface PolicyHal {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly files: HostFiles;
  readonly pressure: MemPressure;
  readonly channel: Channel;
}

type Timers = Readonly<Record<StepTimer, number>>;

/** Events in, draws and figures added, one pure step, its actions carried out. */
export class PolicyRun {
  state: StepState;
  observerFailure: unknown;
  private readonly hal: PolicyHal;
  private readonly events: PolicyEvents;
  private readonly options: PolicyHostOptions;
  private observer: PolicyObserver;
  private reader: FigureReader | undefined;
  private timers: Timers | undefined;
  private sampleTimer: number | undefined;
  private subscriptions: (() => void)[] = [];
  private marginMiB: MiB = 0;
  private control: number;
  private lastTargetBytes: number | undefined;

  constructor(
    hal: PolicyHal,
    events: PolicyEvents,
    options: PolicyHostOptions,
    observer: PolicyObserver,
  ) {
    checkMarginSetting(options.margin ?? 'auto');
    checkInterval('pollIntervalNs', options.pollIntervalNs);
    checkInterval('sampleIntervalNs', options.sampleIntervalNs);
    this.state = initialState(options);
    this.hal = hal;
    this.events = events;
    this.options = options;
    this.control = options.control;
    this.observer = observer;
  }

  start(): void {
    const probed = attempt(() => this.hal.pressure.probe());
    if (!probed.done || probed.value.source === 'none') {
      const reason = probed.done ? probed.value.reason : probed.reason;
      this.take({ kind: 'source-failed', nowNs: this.events.nowNs, reason });
      return;
    }
    this.reader = figureReader(probed.value.source, this.hal.files, this.options.margin ?? 'auto');
    this.subscribe();
    this.startSampling();
    if (this.options.acts ?? true) this.onMarginDue();
    else this.observe();
  }

  stop(): void {
    if (this.timers === undefined) return;
    for (const unsubscribe of this.subscriptions) unsubscribe();
    this.subscriptions = [];
    if (this.state.listening) attempt(() => this.hal.pressure.disarm());
    const open = [...Object.values(this.timers), this.sampleTimer];
    for (const timer of open) {
      if (timer !== undefined) this.hal.clock.closeTimer({ timer });
    }
    this.timers = undefined;
    this.sampleTimer = undefined;
  }

  get hasSent(): boolean {
    return this.lastTargetBytes !== undefined;
  }

  /** The device was started again, with a new control channel: what the old one may not have read is sent again. */
  useControl(control: number): void {
    this.control = control;
    if (this.lastTargetBytes !== undefined) this.take(this.send(this.lastTargetBytes));
  }

  private subscribe(): void {
    const timers = {
      'low-memory': this.hal.clock.createTimer({ name: 'policy.low-memory' }),
      'free-memory': this.hal.clock.createTimer({ name: 'policy.free-memory' }),
      margin: this.hal.clock.createTimer({ name: 'policy.margin' }),
    };
    this.timers = timers;
    this.subscriptions.push(
      this.events.on(MemPressure, 'low', undefined, () => this.onLowMemory()),
    );
    this.onExpiry(timers['low-memory'], () =>
      this.take({ kind: 'low-memory-timer', nowNs: this.events.nowNs }),
    );
    this.onExpiry(timers['free-memory'], () => this.onFreeMemoryTimer());
    this.onExpiry(timers.margin, () => this.onMarginDue());
  }

  private onExpiry(timer: number, handler: () => void): void {
    this.subscriptions.push(this.events.on(Clock, 'expired', timer, handler));
  }

  private startSampling(): void {
    const period = this.options.sampleIntervalNs;
    if (period === undefined) return;
    const timer = this.hal.clock.createTimer({ name: 'policy.sample' });
    this.sampleTimer = timer;
    this.onExpiry(timer, () => {
      this.observe();
    });
    this.hal.clock.arm({ timer, first: period, period });
  }

  private onLowMemory(): void {
    const draws = wantsDraws(this.state) ? this.draw() : undefined;
    this.take({ kind: 'low-memory', nowNs: this.events.nowNs, draws });
  }

  /** In the original's order; one draw for each timer value. */
  private draw(): LowMemoryDraws {
    const { entropy } = this.hal;
    const lowTimerMs = entropy.uniform({ below: 200 });
    const freeFirstS = entropy.uniform({ below: 12 });
    const freePeriodS = entropy.uniform({ below: 6 });
    return { lowTimerMs, freeFirstS, freePeriodS };
  }

  private onFreeMemoryTimer(): void {
    const observation = wantsObservation(this.state) ? this.observe() : undefined;
    this.take({ kind: 'free-memory-timer', nowNs: this.events.nowNs, observation });
  }

  private onMarginDue(): void {
    const observation = this.observe();
    this.take({ kind: 'margin-read', nowNs: this.events.nowNs, observation });
  }

  private observe(): Observation {
    const observation: Observation = this.reader?.observe() ?? {
      status: 'unreadable',
      reason: 'there is no source of figures',
    };
    const read = observation.status === 'read' ? observation : undefined;
    if (read !== undefined) this.marginMiB = read.marginMiB;
    this.tell((observer) =>
      observer.sample?.({
        timeNs: this.events.nowNs,
        observation,
        availableMiB: read?.availableMiB,
        marginMiB: read?.marginMiB,
        currentBytes: this.state.currentBytes,
      }),
    );
    return observation;
  }

  /** One step, and those that the outcomes of its actions ask for, after all of its actions. */
  private take(input: StepInput): void {
    const { state, actions, why } = step(this.state, input);
    this.state = state;
    this.tell((observer) =>
      observer.decision?.({
        timeNs: input.nowNs,
        why,
        mode: state.mode,
        currentBytes: state.currentBytes,
        unsentBytes: state.unsentBytes,
      }),
    );
    const outcomes: StepInput[] = [];
    for (const action of actions) {
      const outcome = this.perform(action);
      if (outcome !== undefined) outcomes.push(outcome);
    }
    for (const outcome of outcomes) this.take(outcome);
    if (this.state.mode === 'disabled') this.stopSampling();
  }

  private perform(action: StepAction): StepInput | undefined {
    switch (action.kind) {
      case 'send':
        return this.send(action.targetBytes);
      case 'arm-pressure':
        return this.sourceOutcome(() =>
          this.hal.pressure.arm({
            margin: this.marginMiB,
            interval: this.options.pollIntervalNs ?? DEFAULT_POLL_NS,
          }),
        );
      case 'disarm-pressure':
        return this.sourceOutcome(() => this.hal.pressure.disarm());
      case 'arm-timer': {
        const timer = this.timers?.[action.timer];
        if (timer === undefined) return undefined;
        this.hal.clock.arm({ timer, first: action.firstNs, period: action.periodNs });
        return undefined;
      }
      case 'disarm-timer': {
        const timer = this.timers?.[action.timer];
        if (timer !== undefined) this.hal.clock.disarm({ timer });
        return undefined;
      }
      case 'say':
        this.tell((observer) => observer.notice?.(action.message));
        return undefined;
    }
  }

  private send(targetBytes: number): StepInput {
    this.lastTargetBytes = targetBytes;
    const sent = attempt(() =>
      this.hal.channel.send({
        channel: this.control,
        data: encodeTarget(targetBytes),
        attach: [],
      }),
    );
    const failure = sent.done ? undefined : sent.reason;
    return { kind: 'send-result', nowNs: this.events.nowNs, failure };
  }

  private sourceOutcome(call: () => void): StepInput | undefined {
    const outcome = attempt(call);
    if (outcome.done) return undefined;
    return { kind: 'source-failed', nowNs: this.events.nowNs, reason: outcome.reason };
  }

  private stopSampling(): void {
    if (this.sampleTimer === undefined) return;
    this.hal.clock.closeTimer({ timer: this.sampleTimer });
    this.sampleTimer = undefined;
  }

  private tell(say: (observer: PolicyObserver) => void): void {
    try {
      say(this.observer);
    } catch (error) {
      this.observerFailure = error;
      this.observer = {};
    }
  }
}

function checkInterval(name: string, value: Nanoseconds | undefined): void {
  if (value === undefined) return;
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a whole number of nanoseconds from 1, got ${value}`);
  }
}
