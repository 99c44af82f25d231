import { ContainerModule } from 'inversify';
import { type ComposedLane, composeLane } from '../../src/compose.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { Channel } from '../../src/hal/channel.js';
import { Clock } from '../../src/hal/clock.js';
import { Console } from '../../src/hal/console.js';
import type { HalContract, HalOf } from '../../src/hal/contract/define.js';
import { type Emitter, implement } from '../../src/hal/contract/implementation.js';
import { Entropy } from '../../src/hal/entropy.js';
import { HostFiles } from '../../src/hal/host-files.js';
import { Kvm } from '../../src/hal/kvm.js';
import { MemPressure } from '../../src/hal/mem-pressure.js';
import { Mmap } from '../../src/hal/mmap.js';
import { Process } from '../../src/hal/process.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { Seccomp } from '../../src/hal/seccomp.js';
import { type ChannelEnd, simulatedChannel } from '../../src/hal/simulated/channel.js';
import { simulatedDisk } from '../../src/hal/simulated/disk.js';
import { simulatedEventFd } from '../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../src/hal/simulated/memory.js';
import {
  type SimulatedChild,
  type SimulatedExit,
  simulatedProcess,
} from '../../src/hal/simulated/process.js';
import { type Post, TaskQueue } from '../../src/hal/simulated/task-queue.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { type BalloonVmConfig, parseBalloonConfig } from '../../src/programs/balloon-config.js';
import { BALLOON_VM_OBSERVER, balloonVm } from '../../src/programs/balloon-vm.js';
import type { RunEnd } from '../../src/reactor/reactor.js';
import { replayLane } from '../../src/run.js';
import { DriverQueue, MmioDriver } from '../devices/driver-model.js';
import { IMAGE } from '../machine/harness.js';
import { PlayedKvm } from './played-kvm.js';

type MmapHal = HalOf<typeof Mmap>;

/** Ends the device's process in the middle of one of its calls. */
export interface Trap {
  readonly call: 'storeReleaseU16' | 'discard' | 'adoptRegion';
  /** 'before': the call is not made. 'after': it is the last that was made. */
  readonly when: 'before' | 'after';
  /** Which incarnations it catches. Default: the first. */
  readonly in?: (incarnation: string) => boolean;
}

export interface LaneRecord {
  readonly incarnation: string;
  readonly turns: TurnBuffer;
  end: RunEnd | undefined;
  exit: SimulatedExit | undefined;
}

const RING_BASES = [0x800000, 0x810000, 0x820000] as const;
export const LIST = 0x840000;
export const PAGE = 4096;

class Killed extends Error {}

/** The real lanes of the balloon VM over a simulated host: one memory, doorbells, channels, and a guest played by hand. */
export class TwoLanes {
  readonly queue = new TaskQueue();
  readonly lanes: LaneRecord[] = [];
  /** What the run said about itself. */
  readonly notices: string[] = [];
  readonly config: BalloonVmConfig;
  readonly main: LaneRecord;
  trap: Trap | undefined;
  nowNs = 1_000;
  /** The VMM's end of the present device's control channel, past its program: what is asked here is in no trace of it. */
  control: { ask: (data: Uint8Array) => void; take: () => Uint8Array[] } = {
    ask: () => {},
    take: () => [],
  };
  /** Kills the device's present process, wherever it is. */
  killDevice: () => void = () => {};
  /** Stops the device's present process, as SIGSTOP does: it lives and does nothing. */
  hangDevice: () => void = () => {};
  readonly driver: MmioDriver;
  readonly mmap: MmapHal;
  readonly #handles = new HandleSpace();
  readonly #eventFds = simulatedEventFd({ handles: this.#handles, post: this.queue.post });
  readonly #kvm = new PlayedKvm((eventfd) => this.#eventFds.ring(eventfd));
  #emitClock: Emitter<typeof Clock> | undefined;
  readonly #timers = new Map<number, { readonly name: string; isArmed: boolean }>();

  constructor(config: Readonly<Record<string, unknown>> = {}, trap?: Trap) {
    this.trap = trap;
    this.config = parseBalloonConfig({
      ramMiB: 32,
      device: 'process',
      work: { touchBytes: 0 },
      ...config,
    });
    this.mmap = simulatedMemory({ handles: this.#handles }).create({});
    const { address } = virtioSlot(0);
    this.driver = new MmioDriver({
      read: (offset, size) =>
        this.#kvm.registers === undefined
          ? this.access(address + offset, new Uint8Array(size), false)
          : this.#inMemory(this.#kvm.registers, offset, size),
      write: (offset, bytes) => this.#write(address + offset, bytes),
    });
    this.main = this.#record('main');
    const observer = new ContainerModule(({ bind }) => {
      bind(BALLOON_VM_OBSERVER).toConstantValue({
        notice: (text: string) => this.notices.push(text),
      });
    });
    const lane = this.#compose(this.main, this.#mainHardware(), () => true, [observer]);
    lane.reactor.start(lane.setUp, (end) => {
      this.main.end = end;
      lane.dispose();
    });
    this.settle();
  }

  #inMemory(region: number, offset: number, size: number): Uint8Array {
    const into = new Uint8Array(size);
    this.mmap.read({ region, offset, into });
    return into;
  }

  /** Lets everything happen that is on its way. */
  settle(): void {
    const limit = 100_000;
    if (this.queue.run(limit) === limit) throw new Error('the simulation does not come to rest');
  }

  /** A guest's access begins. @returns whether it is answered at once. */
  beginAccess(address: number, data: Uint8Array, isWrite: boolean): boolean {
    this.#kvm.exit({ reason: 'mmio', address, data, isWrite });
    return this.isAnswered;
  }

  get isAnswered(): boolean {
    return this.#kvm.answer !== undefined;
  }

  /** A guest's access; the vCPU waits for its answer. */
  access(address: number, data: Uint8Array, isWrite: boolean): Uint8Array {
    this.beginAccess(address, data, isWrite);
    return this.#answer();
  }

  #answer(): Uint8Array {
    this.settle();
    const { answer } = this.#kvm;
    if (answer === undefined) throw new Error('the exit was not answered');
    return answer;
  }

  get ramRegion(): number {
    return this.#kvm.ramRegion;
  }

  queueAt(index: 0 | 1 | 2): DriverQueue {
    return new DriverQueue(this.mmap, this.ramRegion, RING_BASES[index], 128);
  }

  kick(index: number): void {
    this.driver.kick(index);
  }

  #write(address: number, bytes: Uint8Array): void {
    const isAnswered = this.#kvm.write(address, bytes);
    if (isAnswered) this.#answer();
    else this.settle();
  }

  /** How often the guest was interrupted since the last time. */
  interrupts(): number {
    return this.#eventFds.take(this.#kvm.call);
  }

  writeFrames(frames: readonly number[], address = LIST): { address: number; length: number } {
    const data = Uint32Array.from(frames);
    this.mmap.writeU32Array({ region: this.ramRegion, offset: address, data });
    return { address, length: data.byteLength };
  }

  fill(frame: number): void {
    const data = new Uint8Array(PAGE).fill(0xaa);
    this.mmap.write({ region: this.ramRegion, offset: frame * PAGE, data });
  }

  isZero(frame: number): boolean {
    const into = new Uint8Array(PAGE);
    this.mmap.read({ region: this.ramRegion, offset: frame * PAGE, into });
    return into.every((byte) => byte === 0);
  }

  /** Whether a timer of this name runs. */
  isArmed(name: string): boolean {
    return [...this.#timers.values()].some((timer) => timer.name === name && timer.isArmed);
  }

  /** Lets the running timers of this name expire once. */
  expire(name: string): void {
    for (const [timer, state] of this.#timers) {
      if (state.name === name && state.isArmed) this.#emitClock?.expired({ timer, count: 1 });
    }
    this.settle();
  }

  /** The guest powers off. */
  shutDown(): void {
    this.#kvm.exit({ reason: 'shutdown' });
    this.settle();
  }

  /** Replays a lane from its turns. @throws DivergenceError */
  replay(lane: LaneRecord) {
    const complete = lane.exit?.signal !== 'SIGKILL';
    const source = lane.turns.source();
    const sink = new TurnBuffer();
    const end = replayLane(balloonVm, lane.incarnation, this.config, source, { complete, sink });
    return { end, sink };
  }

  #record(incarnation: string): LaneRecord {
    const lane = { incarnation, turns: new TurnBuffer(), end: undefined, exit: undefined };
    this.lanes.push(lane);
    return lane;
  }

  #compose(
    record: LaneRecord,
    implementations: readonly AnyImplementation[],
    isAlive: () => boolean,
    extra: readonly ContainerModule[] = [],
  ): ComposedLane {
    const profile = {
      kind: 'recording' as const,
      implementations,
      clockNs: () => this.nowNs++,
      // A process that is killed in a turn never sends it.
      sink: {
        turn: (...turn: Parameters<TurnBuffer['turn']>) => {
          if (isAlive()) record.turns.turn(...turn);
        },
      },
    };
    return composeLane(balloonVm, record.incarnation, this.config, profile, extra);
  }

  #startDevice(
    incarnation: string,
    given: readonly ChannelEnd[],
    onExit: (exit: SimulatedExit) => void,
  ): SimulatedChild {
    const record = this.#record(incarnation);
    let alive = true;
    let hangs = false;
    const post: Post = (task) => this.queue.post(() => alive && !hangs && task());
    const kill = (signal: string) => {
      if (!alive) return;
      alive = false;
      record.exit = { code: -1, signal };
      lane.reactor.halt();
    };
    this.killDevice = () => kill('SIGKILL');
    this.hangDevice = () => {
      hangs = true;
    };
    const lane = this.#compose(record, this.#deviceHardware(incarnation, given, post), () => alive);
    post(() =>
      lane.reactor.start(lane.setUp, (end) => {
        alive = false;
        record.end = end;
        record.exit ??= { code: end.failure === undefined ? 0 : 1, signal: '' };
        lane.dispose();
        onExit(record.exit);
      }),
    );
    return { kill };
  }

  #deviceHardware(
    incarnation: string,
    given: readonly ChannelEnd[],
    post: Post,
  ): AnyImplementation[] {
    const handles = new HandleSpace();
    const memory = simulatedMemory({ handles });
    const trapped = implement(Mmap, (emit) => {
      const inner = memory.create(emit);
      const trap =
        <A, R>(name: Trap['call'], method: (args: A) => R) =>
        (args: A): R => {
          const { trap: set } = this;
          const isHit =
            set?.call === name && (set.in ?? ((which) => which === 'device'))(incarnation);
          if (isHit && set.when === 'before') this.#spring();
          const result = method(args);
          if (isHit && set.when === 'after') this.#spring();
          return result;
        };
      return {
        ...inner,
        storeReleaseU16: trap('storeReleaseU16', inner.storeReleaseU16),
        discard: trap('discard', inner.discard),
        adoptRegion: trap('adoptRegion', inner.adoptRegion),
      };
    });
    return [
      trapped,
      simulatedEventFd({ handles, post }),
      simulatedDisk({ handles }),
      simulatedChannel({ handles, post, given }),
      ...[Kvm, Seccomp, MemPressure, Clock, Entropy, HostFiles, Process, Console].map((contract) =>
        absent(contract as HalContract),
      ),
    ] as AnyImplementation[];
  }

  #spring(): never {
    this.killDevice();
    throw new Killed('the process is gone');
  }

  #mainHardware(): AnyImplementation[] {
    const handles = this.#handles;
    const { post } = this.queue;
    const channel = simulatedChannel({ handles, post });
    let timers = 0;
    return [
      implement(Kvm, this.#kvm.create),
      simulatedMemory({ handles, files: { readFileSync: () => IMAGE } }),
      this.#eventFds,
      simulatedDisk({ handles: this.#handles }),
      {
        ...channel,
        create: (emit: Emitter<typeof Channel>) => {
          const inner = channel.create(emit);
          const pair = (args: { name: string }) => this.#noteControl(inner, args);
          return { ...inner, pair };
        },
      },
      simulatedProcess({
        handles,
        post,
        release: (handle) => channel.release(handle),
        start: (...args) => this.#startDevice(...args),
      }),
      implement(Clock, (emit) => {
        this.#emitClock = emit;
        return {
          now: () => this.nowNs,
          createTimer: ({ name }) => {
            this.#timers.set(++timers, { name, isArmed: false });
            return timers;
          },
          arm: ({ timer }) => this.#setTimer(timer, true),
          disarm: ({ timer }) => this.#setTimer(timer, false),
          closeTimer: ({ timer }) => void this.#timers.delete(timer),
        };
      }),
      implement(MemPressure, () => ({
        probe: () => ({ source: 'none', reason: 'a simulated host' }) as const,
        arm: () => {},
        disarm: () => {},
      })),
      implement(Console, () => ({ write: () => {}, listen: () => {} })),
      ...[Seccomp, Entropy, HostFiles].map((contract) => absent(contract as HalContract)),
    ] as AnyImplementation[];
  }

  #noteControl(channel: HalOf<typeof Channel>, args: { name: string }) {
    const ends = channel.pair(args);
    if (args.name !== 'control') return ends;
    const { inbox } = this.#handles.find<ChannelEnd>('channel', ends.near);
    this.control = {
      ask: (data) => {
        channel.send({ channel: ends.near, data, attach: [] });
        this.settle();
      },
      take: () => inbox.splice(0).map((message) => message.data),
    };
    return ends;
  }

  #setTimer(timer: number, isArmed: boolean): void {
    const state = this.#timers.get(timer);
    if (state !== undefined) state.isArmed = isArmed;
  }
}

/** A contract that the simulated host has nothing behind. */
function absent(contract: HalContract): AnyImplementation {
  const refuse = () => {
    throw new Error(`the simulated host has no ${contract.halName}`);
  };
  return implement(
    contract,
    () => Object.fromEntries(contract.calls.map(({ name }) => [name, refuse])) as never,
  ) as AnyImplementation;
}
