import { type Nanoseconds, NS_PER_S } from '../../src/hal/contract/units.js';
import { initialState, step, wantsDraws, wantsObservation } from '../../src/policy/step-policy.js';
import type {
  Observation,
  StepAction,
  StepConfig,
  StepInput,
  StepResult,
  StepState,
  StepTimer,
} from '../../src/policy/step-types.js';

/** The policy under test; a mutant replaces a part. */
export interface Policy {
  initial(config: StepConfig): StepState;
  step(state: StepState, input: StepInput): StepResult;
}

export const realPolicy: Policy = { initial: initialState, step };

/** While [startNs, endNs) lasts, the host is low. Sorted, apart from one another. */
export interface LowSpan {
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
}

export interface World {
  readonly lowSpans: readonly LowSpan[];
  readonly seed: number;
  /** Overrides the seed: always this value, made small enough. */
  readonly fixedDraw?: number;
  observe(nowNs: Nanoseconds): Observation;
}

export interface LogEntry {
  readonly nowNs: Nanoseconds;
  readonly input: StepInput;
  readonly result: StepResult;
}

export interface Sent {
  readonly nowNs: Nanoseconds;
  readonly targetBytes: number;
}

export interface Run {
  readonly log: readonly LogEntry[];
  readonly sent: readonly Sent[];
  readonly state: StepState;
  /** Low-memory events that counted. */
  readonly lowNs: readonly Nanoseconds[];
}

const U64 = (1n << 64n) - 1n;

/** The generator that the original used from 2019: one seed gives all jitter. */
export function lcg(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & U64;
    return Number(state % BigInt(below));
  };
}

class Simulation {
  readonly log: LogEntry[] = [];
  readonly sent: Sent[] = [];
  readonly lowNs: Nanoseconds[] = [];
  state: StepState;
  private nowNs = 0;
  private readonly timers = new Map<StepTimer, { nextNs: number; periodNs: number }>();
  private readonly policy: Policy;
  private readonly world: World;
  private readonly draw: (below: number) => number;

  constructor(policy: Policy, config: StepConfig, world: World) {
    this.policy = policy;
    this.world = world;
    const { fixedDraw } = world;
    this.draw =
      fixedDraw === undefined ? lcg(world.seed) : (below) => Math.min(fixedDraw, below - 1);
    this.state = policy.initial(config);
  }

  run(untilNs: Nanoseconds): void {
    this.take({ kind: 'margin-read', nowNs: 0, observation: this.world.observe(0) });
    for (;;) {
      const next = this.nextEvent();
      if (next === undefined || next.atNs > untilNs) return;
      this.nowNs = next.atNs;
      if (next.timer === undefined) this.lowMemory();
      else this.expire(next.timer);
    }
  }

  private nextEvent(): { atNs: number; timer: StepTimer | undefined } | undefined {
    const candidates: { atNs: number; timer: StepTimer | undefined }[] = [];
    if (this.state.listening) {
      const span = this.world.lowSpans.find(({ endNs }) => endNs > this.nowNs);
      if (span !== undefined) {
        candidates.push({ atNs: Math.max(this.nowNs, span.startNs), timer: undefined });
      }
    }
    for (const [timer, { nextNs }] of this.timers) candidates.push({ atNs: nextNs, timer });
    candidates.sort((a, b) => a.atNs - b.atNs);
    return candidates[0];
  }

  private lowMemory(): void {
    this.lowNs.push(this.nowNs);
    const draws = wantsDraws(this.state)
      ? { lowTimerMs: this.draw(200), freeFirstS: this.draw(12), freePeriodS: this.draw(6) }
      : undefined;
    this.take({ kind: 'low-memory', nowNs: this.nowNs, draws });
  }

  private expire(timer: StepTimer): void {
    const armed = this.timers.get(timer);
    if (armed !== undefined && armed.periodNs > 0) {
      this.timers.set(timer, { nextNs: armed.nextNs + armed.periodNs, periodNs: armed.periodNs });
    } else {
      this.timers.delete(timer);
    }
    const { nowNs } = this;
    if (timer === 'low-memory') this.take({ kind: 'low-memory-timer', nowNs });
    else if (timer === 'free-memory') {
      const observation = wantsObservation(this.state) ? this.world.observe(nowNs) : undefined;
      this.take({ kind: 'free-memory-timer', nowNs, observation });
    } else {
      this.take({ kind: 'margin-read', nowNs, observation: this.world.observe(nowNs) });
    }
  }

  private take(input: StepInput): void {
    const result = this.policy.step(this.state, input);
    this.state = result.state;
    this.log.push({ nowNs: this.nowNs, input, result });
    for (const action of result.actions) this.perform(action);
  }

  private perform(action: StepAction): void {
    if (action.kind === 'send') {
      this.sent.push({ nowNs: this.nowNs, targetBytes: action.targetBytes });
      this.take({ kind: 'send-result', nowNs: this.nowNs });
    } else if (action.kind === 'arm-timer') {
      const { firstNs, periodNs } = action;
      this.timers.set(action.timer, { nextNs: this.nowNs + firstNs, periodNs });
    } else if (action.kind === 'disarm-timer') {
      this.timers.delete(action.timer);
    }
  }
}

/** Drives the policy with a virtual clock. Every send succeeds. */
export function simulate(policy: Policy, config: StepConfig, world: World, seconds: number): Run {
  const simulation = new Simulation(policy, config, world);
  simulation.run(seconds * NS_PER_S);
  return simulation;
}
