import { type LiveEnd, runLive } from '../../src/cli/live.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { HalContract, HalOf } from '../../src/hal/contract/define.js';
import { type Implementation, implement } from '../../src/hal/contract/implementation.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import { Seccomp } from '../../src/hal/seccomp.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { parseBalloonConfig } from '../../src/programs/balloon-config.js';
import type { BalloonVmObserver } from '../../src/programs/balloon-vm.js';
import { DriverQueue, MmioDriver } from '../devices/driver-model.js';
import { IMAGE } from '../machine/harness.js';
import { PlayedKvm } from './played-kvm.js';

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
  readonly #kvm = new PlayedKvm((eventfd) => this.#eventFd?.signal({ eventfd }));
  #mmap: HalOf<typeof Mmap> | undefined;
  #eventFd: HalOf<typeof EventFd> | undefined;
  #queues: DriverQueue[] = [];

  readonly #options: RealDeviceOptions;

  constructor(options: RealDeviceOptions = {}) {
    this.#options = options;
    const { address } = virtioSlot(0);
    this.driver = new MmioDriver({
      read: (offset, size) => {
        this.#kvm.exit({ reason: 'mmio', address: address + offset, data: new Uint8Array(size) });
        return this.#answer;
      },
      write: (offset, bytes) => {
        if (this.#kvm.write(address + offset, bytes)) void this.#answer;
      },
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
    await this.until(() => this.#kvm.isWired);
    this.driver.negotiate();
    const queues = RING_BASES.map(
      (base) => new DriverQueue(this.#hal, this.#kvm.ramRegion, base, 128),
    );
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
    const region = this.#kvm.ramRegion;
    this.#hal.writeU32Array({ region, offset: LIST, data: Uint32Array.of(frame) });
    queue.post({ address: LIST, length: 4 });
    this.driver.kick(0);
    await this.until(() => queue.takeUsed().length > 0);
  }

  fill(frame: number): void {
    const data = new Uint8Array(PAGE).fill(0xaa);
    this.#hal.write({ region: this.#kvm.ramRegion, offset: frame * PAGE, data });
  }

  isZero(frame: number): boolean {
    const into = new Uint8Array(PAGE);
    this.#hal.read({ region: this.#kvm.ramRegion, offset: frame * PAGE, into });
    return into.every((byte) => byte === 0);
  }

  /** The guest powers off. */
  shutDown(): void {
    this.#kvm.exit({ reason: 'shutdown' });
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

  get #answer(): Uint8Array {
    const { answer } = this.#kvm;
    if (answer === undefined) throw new Error('the access was not answered at once');
    return answer;
  }

  #arrange(implementation: AnyImplementation): AnyImplementation {
    if (implementation.contract === Kvm) {
      return implement(Kvm, this.#kvm.create);
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
