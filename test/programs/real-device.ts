import { type LiveEnd, runLive } from '../../src/cli/live.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { HalContract, HalOf } from '../../src/hal/contract/define.js';
import {
  type Emitter,
  type Implementation,
  implement,
} from '../../src/hal/contract/implementation.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import { Seccomp } from '../../src/hal/seccomp.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { parseBalloonConfig } from '../../src/programs/balloon-config.js';
import type { BalloonVmObserver } from '../../src/programs/balloon-vm.js';
import { DriverQueue, MmioDriver } from '../devices/driver-model.js';
import { FIRST_VCPU, IMAGE, RESET_REGISTERS, VM } from '../machine/harness.js';

const RING_BASES = [0x800000, 0x810000, 0x820000] as const;
const LIST = 0x840000;
const PAGE = 4096;
const WAIT_MS = 30_000;

export interface RealDeviceOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly record?: string;
  readonly filterPrograms?: ReadonlyMap<string, Uint8Array> | undefined;
  readonly observer?: BalloonVmObserver;
  /** Takes the place of what this machine's seccomp offers. */
  readonly probe?: ReturnType<HalOf<typeof Seccomp>['probe']>;
}

/**
 * The balloon VM with its device in a real process, over real memory, doorbells and channels. Only KVM is played: no
 * processor runs a guest, its accesses are made by hand.
 */
export class RealDevice {
  readonly ended: Promise<LiveEnd>;
  readonly driver: MmioDriver;
  readonly ioeventfds = new Map<number, number>();
  #mmap: HalOf<typeof Mmap> | undefined;
  #eventFd: HalOf<typeof EventFd> | undefined;
  #emitKvm: Emitter<typeof Kvm> | undefined;
  #answer: Uint8Array | undefined;
  #ramRegion = 0;
  #queues: DriverQueue[] = [];

  readonly #options: RealDeviceOptions;

  constructor(options: RealDeviceOptions = {}) {
    this.#options = options;
    const { address } = virtioSlot(0);
    this.driver = new MmioDriver({
      read: (offset, size) => this.#access(address + offset, new Uint8Array(size), false),
      write: (offset, bytes) => void this.#access(address + offset, bytes, true),
    });
    this.ended = runLive({
      config: parseBalloonConfig({
        ramMiB: 32,
        device: 'process',
        policy: 'off',
        work: { touchBytes: 0 },
        ...options.config,
      }),
      record: options.record,
      onTraceError: 'stop',
      observer: options.observer ?? {},
      console: undefined,
      images: {},
      filterPrograms: options.filterPrograms,
      arrange: (hardware) => hardware.map((each) => this.#arrange(each)),
      warn: () => {},
    });
  }

  /** The guest's driver comes up; resolves when the device has served a first list of pages. */
  async boot(): Promise<void> {
    await this.until(() => this.#ramRegion !== 0 && this.#emitKvm !== undefined);
    this.driver.negotiate();
    const queues = RING_BASES.map((base) => new DriverQueue(this.#hal, this.#ramRegion, base, 128));
    this.#queues = queues;
    queues.forEach((queue, index) => {
      this.driver.setUpQueue(index, queue.layout);
    });
    this.driver.writeStatus(0xf);
  }

  /** Puts a page into the balloon; resolves when the device has given the list back. */
  async inflate(frame: number): Promise<void> {
    const queue = this.#queues[0];
    if (queue === undefined) throw new Error('boot first');
    const region = this.#ramRegion;
    this.#hal.writeU32Array({ region, offset: LIST, data: Uint32Array.of(frame) });
    queue.post({ address: LIST, length: 4 });
    this.kick(0);
    await this.until(() => queue.takeUsed().length > 0);
  }

  kick(index: number): void {
    this.#eventFd?.signal({ eventfd: this.ioeventfds.get(index) ?? 0 });
  }

  fill(frame: number): void {
    const data = new Uint8Array(PAGE).fill(0xaa);
    this.#hal.write({ region: this.#ramRegion, offset: frame * PAGE, data });
  }

  isZero(frame: number): boolean {
    const into = new Uint8Array(PAGE);
    this.#hal.read({ region: this.#ramRegion, offset: frame * PAGE, into });
    return into.every((byte) => byte === 0);
  }

  /** The guest powers off. */
  shutDown(): void {
    const exit = { vcpu: FIRST_VCPU, reason: 'shutdown', address: 0, size: 0 } as const;
    this.#emitKvm?.exit({ ...exit, isWrite: false, data: new Uint8Array(0), detail: 0n });
  }

  async until(holds: () => boolean): Promise<void> {
    const limit = performance.now() + WAIT_MS;
    while (!holds()) {
      if (performance.now() > limit) throw new Error('it does not happen');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get #hal(): HalOf<typeof Mmap> {
    if (this.#mmap === undefined) throw new Error('the run has not begun');
    return this.#mmap;
  }

  #access(address: number, data: Uint8Array, isWrite: boolean): Uint8Array {
    this.#answer = undefined;
    const exit = { vcpu: FIRST_VCPU, reason: 'mmio', address, size: data.length } as const;
    this.#emitKvm?.exit({ ...exit, isWrite, data: data.slice(), detail: 0n });
    if (this.#answer === undefined) throw new Error('the access was not answered at once');
    return this.#answer;
  }

  #arrange(implementation: AnyImplementation): AnyImplementation {
    if (implementation.contract === Kvm) {
      return implement(Kvm, (emit) => {
        this.#emitKvm = emit;
        return this.#playedKvm();
      });
    }
    return tapped(implementation, (contract, inner) => {
      if (contract === EventFd) this.#eventFd = inner as HalOf<typeof EventFd>;
      const { probe } = this.#options;
      if (contract === Seccomp && probe !== undefined) return { ...inner, probe: () => probe };
      if (contract !== Mmap) return inner;
      this.#mmap = inner as HalOf<typeof Mmap>;
      return { ...inner, load: () => ({ length: IMAGE.length, sha256: '' }) };
    });
  }

  #playedKvm(): HalOf<typeof Kvm> {
    const results: Record<string, (args: never) => unknown> = {
      checkExtension: () => 1,
      createVm: () => VM,
      createVcpu: () => FIRST_VCPU,
      tscKhz: () => 2_000_000,
      getSystemRegisters: () => RESET_REGISTERS,
      supportedCpuid: () => [],
      setMemory: ({ slot, region }: { slot: number; region: number }) => {
        if (slot === 0) this.#ramRegion = region;
      },
      ioeventfd: ({ match, eventfd }: { match: number; eventfd: number }) => {
        this.ioeventfds.set(match, eventfd);
      },
      complete: ({ data }: { data: Uint8Array }) => {
        this.#answer = data.slice();
      },
    };
    const methods = Kvm.calls.map(({ name }) => [name, results[name] ?? (() => undefined)]);
    return Object.fromEntries(methods) as HalOf<typeof Kvm>;
  }
}

/** The same implementation; `look` gets what it makes, past whatever records it. */
function tapped(
  implementation: AnyImplementation,
  look: (contract: HalContract, inner: object) => object,
): AnyImplementation {
  const { contract, create, validates, dispose } = implementation as Implementation<HalContract>;
  return implement(contract, (emit) => look(contract, create(emit)) as never, {
    ...(validates === undefined ? {} : { validates }),
    ...(dispose === undefined ? {} : { dispose }),
  });
}
