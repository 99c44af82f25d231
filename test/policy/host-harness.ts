import { Volume } from 'memfs';
import type { Channel } from '../../src/hal/channel.js';
import { Clock } from '../../src/hal/clock.js';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { HalError } from '../../src/hal/contract/errors.js';
import type { Entropy } from '../../src/hal/entropy.js';
import type { HostFiles } from '../../src/hal/host-files.js';
import { MemPressure } from '../../src/hal/mem-pressure.js';
import { hostFilesOver } from '../../src/hal/native/host-files.js';
import { PolicyHost } from '../../src/policy/policy-host.js';
import type {
  PolicyDecision,
  PolicyObserver,
  PolicySample,
} from '../../src/policy/policy-observer.js';

import type { PolicyEvents } from '../../src/policy/policy-run.js';

export const MARGIN_FILE = '/sys/kernel/mm/chromeos-low_mem/margin';
export const AVAILABLE_FILE = '/sys/kernel/mm/chromeos-low_mem/available';
export const CONTROL = 41;

type Route = {
  contract: unknown;
  name: string;
  key: number | undefined;
  handler: (p: never) => void;
};

/** Delivers events by hand; each in a turn of its own. */
export class FakeEvents implements PolicyEvents {
  nowNs = 0;
  private routes: Route[] = [];

  on<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
    key: number | undefined,
    handler: (payload: HalEvents<C>[E]) => void,
  ): () => void {
    const route: Route = { contract, name, key, handler };
    this.routes.push(route);
    return () => {
      this.routes = this.routes.filter((other) => other !== route);
    };
  }

  get subscriptions(): number {
    return this.routes.length;
  }

  low(): void {
    this.deliver(MemPressure, 'low', undefined, {});
  }

  expired(timer: number): void {
    this.deliver(Clock, 'expired', timer, { timer, count: 1 });
  }

  private deliver(contract: unknown, name: string, key: number | undefined, payload: object): void {
    for (const route of this.routes) {
      if (route.contract !== contract || route.name !== name || route.key !== key) continue;
      route.handler(payload as never);
    }
  }
}

/** A policy host over fake hardware: files in memfs, everything else written down as one line for each call. */
export class Rig {
  readonly calls: string[] = [];
  readonly events = new FakeEvents();
  readonly files = new Volume();
  readonly notices: string[] = [];
  readonly decisions: PolicyDecision[] = [];
  readonly samples: PolicySample[] = [];
  readonly sent: Uint8Array[] = [];
  source: 'chromeos' | 'meminfo' | 'none' = 'chromeos';
  sendFails = false;
  armFails = false;
  drawn = 0;
  readonly timers = new Map<string, number>();
  readonly observer: PolicyObserver = {
    sample: (sample) => this.samples.push(sample),
    decision: (decision) => this.decisions.push(decision),
    notice: (message) => this.notices.push(message),
  };

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.files.fromJSON(files);
  }

  host(): PolicyHost {
    const { clock, entropy, files, pressure, channel } = this.parts();
    return new PolicyHost(clock, entropy, files, pressure, channel);
  }

  /** The fake hardware. */
  parts() {
    const entropy: HalOf<typeof Entropy> = {
      uniform: ({ below }) => this.uniform(below),
      fill: () => {},
    };
    return {
      clock: this.clock(),
      entropy,
      files: this.hostFiles(),
      pressure: this.pressure(),
      channel: this.channel(),
    };
  }

  timer(name: string): number {
    return this.timers.get(name) ?? -1;
  }

  /** Takes the calls written down since the last time. */
  take(): string[] {
    return this.calls.splice(0);
  }

  rules(): string[] {
    return this.decisions.map(({ why }) => why.rule);
  }

  /** The targets in the datagrams that were sent, in MiB. */
  targetsMiB(): number[] {
    return this.sent.map((data) =>
      Number(new DataView(data.buffer, data.byteOffset).getBigUint64(0, true) / 1_048_576n),
    );
  }

  private uniform(below: number): number {
    this.calls.push(`uniform ${below}`);
    return Math.min(this.drawn, below - 1);
  }

  private clock(): HalOf<typeof Clock> {
    return {
      now: () => this.events.nowNs,
      createTimer: ({ name }) => {
        const timer = this.timers.size + 1;
        this.timers.set(name, timer);
        this.calls.push(`create ${name}`);
        return timer;
      },
      arm: ({ timer, first, period }) => {
        this.calls.push(`timer ${this.nameOf(timer)} ${first / 1e6} ms, ${period / 1e6} ms`);
      },
      disarm: ({ timer }) => {
        this.calls.push(`stop ${this.nameOf(timer)}`);
      },
      closeTimer: ({ timer }) => {
        this.calls.push(`close ${this.nameOf(timer)}`);
      },
    };
  }

  private nameOf(timer: number): string {
    return [...this.timers].find(([, handle]) => handle === timer)?.[0] ?? `unknown ${timer}`;
  }

  private hostFiles(): HalOf<typeof HostFiles> {
    const { read } = hostFilesOver({ fs: this.files }).create({});
    return {
      read: (args) => {
        this.calls.push(`read ${args.path} ${args.maxBytes}`);
        return read(args);
      },
    };
  }

  private pressure(): HalOf<typeof MemPressure> {
    return {
      probe: () => ({ source: this.source, reason: 'nothing there' }),
      arm: ({ margin, interval }) => {
        this.calls.push(`listen margin ${margin} MiB, ${interval / 1e6} ms`);
        if (this.armFails) throw new HalError('SYSCALL_FAILED', 'open: EACCES', { errno: 13 });
      },
      disarm: () => {
        this.calls.push('ignore');
      },
    };
  }

  private channel(): HalOf<typeof Channel> {
    const unused = () => {
      throw new Error('the policy only sends');
    };
    return {
      pair: unused,
      adopt: unused,
      listen: unused,
      close: unused,
      send: ({ channel, data }) => {
        this.calls.push(`send on ${channel}`);
        if (this.sendFails) throw new HalError('SYSCALL_FAILED', 'sendmsg: EAGAIN', { errno: 11 });
        this.sent.push(data);
      },
    };
  }
}
