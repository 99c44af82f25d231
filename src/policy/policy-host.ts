import { inject, injectable } from 'inversify';
import { Channel } from '../hal/channel.js';
import { Clock } from '../hal/clock.js';
import { Entropy } from '../hal/entropy.js';
import { HostFiles } from '../hal/host-files.js';
import { MemPressure } from '../hal/mem-pressure.js';
import type { PolicyObserver } from './policy-observer.js';
import { type PolicyEvents, type PolicyHostOptions, PolicyRun } from './policy-run.js';
import type { StepState } from './step-types.js';

/** Wires the pure step policy to the hardware: one run of it for one device. */
@injectable()
export class PolicyHost {
  private readonly clock: Clock;
  private readonly entropy: Entropy;
  private readonly files: HostFiles;
  private readonly pressure: MemPressure;
  private readonly channel: Channel;
  private run: PolicyRun | undefined;

  constructor(
    @inject(Clock) clock: Clock,
    @inject(Entropy) entropy: Entropy,
    @inject(HostFiles) files: HostFiles,
    @inject(MemPressure) pressure: MemPressure,
    @inject(Channel) channel: Channel,
  ) {
    this.clock = clock;
    this.entropy = entropy;
    this.files = files;
    this.pressure = pressure;
    this.channel = channel;
  }

  /**
   * Starts the policy; inside a turn, once. Throws RangeError for options that make no sense, before any HAL call.
   */
  start(events: PolicyEvents, options: PolicyHostOptions, observer: PolicyObserver = {}): void {
    if (this.run !== undefined) throw new TypeError('the policy was started before');
    const hal = {
      clock: this.clock,
      entropy: this.entropy,
      files: this.files,
      pressure: this.pressure,
      channel: this.channel,
    };
    this.run = new PolicyRun(hal, events, options, observer);
    this.run.start();
  }

  /** Ends subscriptions, notification and timers; inside a turn. The balloon stays as it is. */
  stop(): void {
    this.run?.stop();
  }

  /** Sends to this channel from now on, the last target first. Inside a turn; before `start` it does nothing. */
  useControl(control: number): void {
    this.run?.useControl(control);
  }

  /** Whether it has ever sent a target. */
  get hasSent(): boolean {
    return this.run?.hasSent ?? false;
  }

  /** Undefined before `start`. */
  get state(): StepState | undefined {
    return this.run?.state;
  }

  /** What an observer threw, after which it was not called again. */
  get observerFailure(): unknown {
    return this.run?.observerFailure;
  }
}
