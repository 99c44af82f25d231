import { accessSync, constants, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BalloonDevice } from '../../src/devices/balloon/balloon-device.js';
import { balloonTransport } from '../../src/devices/balloon/transport.js';
import { InterruptLine } from '../../src/devices/virtio/interrupt.js';
import { bindNative, implementationOf } from '../../src/hal/bind.js';
import { Clock } from '../../src/hal/clock.js';
import { Console } from '../../src/hal/console.js';
import { AnswerLedger } from '../../src/hal/contract/answers.js';
import type { HalContract, HalOf } from '../../src/hal/contract/define.js';
import { implement } from '../../src/hal/contract/implementation.js';
import { TurnScope } from '../../src/hal/contract/turn-scope.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import { nativeImplementations } from '../../src/hal/native/index.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { Machine } from '../../src/machine/machine.js';
import { type MicroGuestOptions, microGuest } from '../../src/machine/micro-guest.js';
import type { MmioWiring } from '../../src/machine/mmio-slots.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import { Reactor, type RunEnd } from '../../src/reactor/reactor.js';

const CONTRACTS: readonly HalContract[] = [Kvm, Mmap, EventFd, Clock, Console];
const packageRoot = new URL('../../../', import.meta.url);
const IMAGE = fileURLToPath(new URL('build/guest/micro-guest.bin', packageRoot));
const ADDON = fileURLToPath(new URL('build/Release/halyard.node', packageRoot));

/** Why no guest can run here, or undefined. */
export function whyNoKvm(): string | undefined {
  if (!existsSync(ADDON)) return 'the addon is not built (npm run build:native)';
  if (!existsSync(IMAGE)) return 'the micro guest is not built (node scripts/build-guest.mjs)';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/kvm is not there, or not for this user';
  }
}

export interface GuestRun {
  readonly ramBytes: number;
  readonly guest: Omit<MicroGuestOptions, 'device'>;
  /** Called with each line, in its turn. */
  readonly onLine?: (line: string, lab: Lab) => void;
  /** The guest's own number for its balloon. */
  readonly onActual?: (pages: number, lab: Lab) => void;
  /** Notifications come as exits instead of by eventfd. */
  readonly withoutEventfds?: boolean;
  /** Boots a machine with no device in the slot. */
  readonly withoutDevice?: boolean;
  /** Changes what the guest is given, before it runs. */
  readonly beforeRun?: (lab: Lab) => void;
}

/** What a running test may do: only within a turn. */
export interface Lab {
  readonly machine: Machine;
  readonly device: BalloonDevice | undefined;
  readonly mmap: HalOf<typeof Mmap>;
  readonly residency: () => number;
  /** Runs something in a turn of its own, after this one. */
  readonly later: (body: () => void) => void;
}

export interface GuestResult {
  readonly end: VmEnd | undefined;
  readonly run: RunEnd;
  readonly lines: readonly string[];
  readonly shown: string;
  readonly turns: number;
}

/** Boots the micro guest on the machine's own KVM, with a balloon in this process, and waits for its end. */
export function runGuest(options: GuestRun): Promise<GuestResult> {
  const lines: string[] = [];
  let shown = '';
  const console = implement(Console, () => ({
    write: ({ data }) => {
      shown += new TextDecoder().decode(data);
    },
    listen: () => {},
  }));
  const implementations = [...nativeImplementations(), console];
  const scope = new TurnScope();
  const ledger = new AnswerLedger(CONTRACTS);
  const clockNs = () => Number(process.hrtime.bigint());
  const reactor = new Reactor(scope, ledger, { begin: () => {}, end: () => {} }, clockNs);
  const bind = <C extends HalContract>(contract: C): HalOf<C> =>
    bindNative(implementationOf(contract, implementations), {
      scope,
      ledger,
      emitter: (of) => reactor.emitter(of),
    }) as HalOf<C>;
  const hal = { kvm: bind(Kvm), mmap: bind(Mmap), eventFd: bind(EventFd), console: bind(Console) };
  reactor.answer = (call, args) => {
    if (call.name === 'complete') hal.kvm.complete(args as never);
  };
  let end: VmEnd | undefined;
  const start = (): void => {
    const machine = new Machine({
      hal,
      events: reactor,
      architecture: 'x86_64',
      ramBytes: options.ramBytes,
      boot: microGuest(IMAGE, { ...options.guest, device: virtioSlot(0) }),
      onLine: (line) => {
        lines.push(line);
        options.onLine?.(line, lab);
      },
      onEnd: (reason) => {
        end = reason;
        machine.close();
        reactor.stop();
      },
    });
    const { mmap } = hal;
    const residency = (): number =>
      machine.ram
        .map((part) => part.region)
        .filter((region, index, all) => all.indexOf(region) === index)
        .reduce((sum, region) => sum + mmap.residency({ region }), 0);
    const lab: { -readonly [K in keyof Lab]: Lab[K] } = {
      machine,
      device: undefined,
      mmap,
      residency,
      later: (body) => {
        const eventfd = hal.eventFd.create({ name: 'later' });
        reactor.on(EventFd, 'signalled', eventfd, body);
        hal.eventFd.watch({ eventfd, on: true });
        hal.eventFd.signal({ eventfd });
      },
    };
    if (options.withoutDevice !== true) {
      lab.device = attachBalloon(options, machine, hal, reactor, lab);
    }
    options.beforeRun?.(lab);
    machine.run();
  };
  return new Promise((resolve) => {
    reactor.start(start, (run) => {
      for (const implementation of implementations) implementation.dispose?.();
      resolve({ end, run, lines, shown, turns: run.turns });
    });
  });
}

function attachBalloon(
  options: GuestRun,
  machine: Machine,
  hal: { readonly mmap: HalOf<typeof Mmap>; readonly eventFd: HalOf<typeof EventFd> },
  reactor: Reactor,
  lab: Lab,
): BalloonDevice {
  const { mmap, eventFd } = hal;
  const region = mmap.createRegion({ name: 'interrupt-status', size: 4096 });
  let made: BalloonDevice | undefined;
  machine.attachMmio({
    slot: 0,
    notify: options.withoutEventfds === true ? [] : [{ queue: 0 }, { queue: 1 }, { queue: 2 }],
    device: (wiring: MmioWiring) => {
      const line = { region, offset: 0, eventfd: wiring.call };
      const transport = balloonTransport({ interrupt: new InterruptLine(mmap, eventFd, line) });
      const device = new BalloonDevice({
        mmap,
        ram: machine.ram,
        frontend: transport,
        listener: {
          actualChanged: (pages) => options.onActual?.(pages, lab),
          statsAnswered: () => {},
          statsFailed: () => {},
        },
      });
      transport.connect(device);
      for (const { queue, eventfd } of wiring.kicks) {
        reactor.on(EventFd, 'signalled', eventfd, () => device.kick(queue));
        eventFd.watch({ eventfd, on: true });
      }
      made = device;
      return transport;
    },
  });
  if (made === undefined) throw new Error('the device was not made');
  return made;
}
