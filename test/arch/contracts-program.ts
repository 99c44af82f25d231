import { ContainerModule, inject, injectable } from 'inversify';
import { Channel } from '../../src/hal/channel.js';
import { Clock } from '../../src/hal/clock.js';
import { HalError, type HalErrorCode } from '../../src/hal/contract/errors.js';
import { Entropy } from '../../src/hal/entropy.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import { Seccomp } from '../../src/hal/seccomp.js';
import type { Program } from '../../src/program.js';
import { Reactor } from '../../src/reactor/reactor.js';

const PAGES = 8;
/** More than 32 bits address. */
const HUGE_BYTES = 2 ** 33;
const RANDOM_BYTES = 64;
const CAP_IRQCHIP = 0;
const EXPIRIES = 3;
const WORD = 0xfedcba98;

/** What the program found. Every profile and every architecture must find the same from the same trace. */
export interface Findings {
  readonly pageBytes: number;
  readonly primitive: string;
  readonly residentAfterDiscard: number;
  /** Of a region that no 32-bit address space holds. */
  readonly hugeRegion: HalErrorCode | 'made';
  readonly kvm: HalErrorCode | 'asked';
  readonly kvmSays: string;
  readonly packageSha256: string;
  readonly random: readonly number[];
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the contracts do not hold: ${what}`);
}

/** Uses each contract of the addon once in every way that needs no other process, and fails if one gives nonsense. */
@injectable()
export class Contracts {
  #expected = new Set(['eventfd', 'message', 'timer']);
  #expiries = 0;
  findings: Findings | undefined;

  constructor(
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Clock) private readonly clock: Clock,
    @inject(Entropy) private readonly entropy: Entropy,
    @inject(Channel) private readonly channel: Channel,
    @inject(Seccomp) private readonly seccomp: Seccomp,
    @inject(Kvm) private readonly kvm: Kvm,
    @inject(Reactor) private readonly reactor: Reactor,
  ) {}

  start(): void {
    const memory = this.#useMemory();
    const random = new Uint8Array(RANDOM_BYTES);
    this.entropy.fill({ into: random });
    must(new Set(random).size > 1, 'random bytes are all alike');
    must(this.entropy.uniform({ below: 10 }) < 10, 'a draw is out of its range');
    must(typeof this.seccomp.probe().filter === 'boolean', 'seccomp does not say what it can');
    let kvmSays = '';
    const kvm = attempt(
      'asked',
      () => this.kvm.checkExtension({ capability: CAP_IRQCHIP }),
      (said) => {
        kvmSays = said;
      },
    );
    this.findings = { ...memory, kvm, kvmSays, random: [...random] };
    this.#ringBell();
    this.#sendMemory();
    this.#waitForTime();
  }

  #useMemory(): Omit<Findings, 'kvm' | 'kvmSays' | 'random'> {
    const { mmap } = this;
    const probe = mmap.createRegion({ name: 'probe', size: 2 ** 16 });
    const { pageSize: pageBytes, primitive } = mmap.describe({ region: probe });
    mmap.closeRegion({ region: probe });
    const region = mmap.createRegion({ name: 'memory', size: PAGES * pageBytes });
    mmap.write({ region, offset: 0, data: new Uint8Array(PAGES * pageBytes).fill(0xa5) });
    mmap.writeU32Array({ region, offset: 4, data: Uint32Array.of(WORD) });
    const words = new Uint32Array(3);
    mmap.readU32Array({ region, offset: 0, into: words });
    must(words[1] === WORD && words[2] === 0xa5a5a5a5, 'words are not read as they were written');
    mmap.storeReleaseU16({ region, offset: 2, value: 0x1234 });
    must(mmap.loadAcquireU16({ region, offset: 2 }) === 0x1234, 'a released word is another');
    must(mmap.orU32({ region, offset: 4, mask: 1 }) === WORD, 'or gives not what was there');
    must(mmap.andU32({ region, offset: 4, mask: 3 }) === WORD + 1, 'and gives not what was there');
    mmap.discard({ region, ranges: Float64Array.of(0, pageBytes, 3 * pageBytes, 2 * pageBytes) });
    const first = new Uint8Array(pageBytes);
    mmap.read({ region, offset: 0, into: first });
    must(
      first.every((byte) => byte === 0),
      'a discarded page is not zero',
    );
    mmap.read({ region, offset: pageBytes, into: first });
    must(
      first.every((byte) => byte === 0xa5),
      'a page that was kept is another',
    );
    const residentAfterDiscard = mmap.residency({ region });
    const { length, sha256 } = mmap.load({ region, offset: 0, path: 'package.json' });
    const tail = { path: 'package.json', fileOffset: length - 16, maxLength: 100 };
    must(mmap.loadRange({ region, offset: 0, ...tail }).length === 16, 'the tail has not 16 bytes');
    mmap.closeRegion({ region });
    const huge = { name: 'huge', size: HUGE_BYTES };
    const hugeRegion = attempt('made', () => mmap.closeRegion({ region: mmap.createRegion(huge) }));
    return { pageBytes, primitive, residentAfterDiscard, hugeRegion, packageSha256: sha256 };
  }

  #ringBell(): void {
    const eventfd = this.eventFd.create({ name: 'bell' });
    this.reactor.on(EventFd, 'signalled', eventfd, ({ count }) => {
      must(count === 2, `the bell was rung ${count} times`);
      this.eventFd.close({ eventfd });
      this.#done('eventfd');
    });
    this.eventFd.signal({ eventfd });
    this.eventFd.signal({ eventfd });
    this.eventFd.watch({ eventfd, on: true });
  }

  /** Memory that travels with a message is the same memory, whatever part of it is mapped. */
  #sendMemory(): void {
    const { channel, mmap } = this;
    const size = 2 ** 17;
    const offset = 2 ** 16;
    const region = mmap.createRegion({ name: 'sent', size });
    const { near, far } = channel.pair({ name: 'link' });
    this.reactor.on(Channel, 'message', far, ({ data, attached: [attachment = 0] }) => {
      must(data.length === 3 && data[2] === 3, 'a message is another');
      const adopted = mmap.adoptRegion({ attachment, size: size - offset, offset });
      mmap.writeU32Array({ region, offset: offset + 8, data: Uint32Array.of(WORD) });
      must(mmap.loadAcquireU32({ region: adopted, offset: 8 }) === WORD, 'memory is not shared');
      channel.close({ channel: far });
      channel.close({ channel: near });
      this.#done('message');
    });
    channel.listen({ channel: far });
    channel.send({ channel: near, data: Uint8Array.of(1, 2, 3), attach: [region] });
  }

  #waitForTime(): void {
    const before = this.clock.now();
    const timer = this.clock.createTimer({ name: 'tick' });
    const period = 2_000_000;
    this.reactor.on(Clock, 'expired', timer, ({ count }) => {
      this.#expiries += count;
      if (this.#expiries < EXPIRIES) return;
      must(this.clock.now() - before >= EXPIRIES * period, 'a timer is early');
      this.clock.closeTimer({ timer });
      this.#done('timer');
    });
    this.clock.arm({ timer, first: period, period });
  }

  #done(what: string): void {
    this.#expected.delete(what);
    if (this.#expected.size === 0) this.reactor.stop();
  }
}

/** What became of a call that some machines refuse. */
function attempt<Success extends string>(
  success: Success,
  work: () => unknown,
  said: (message: string) => void = () => {},
): Success | HalErrorCode {
  try {
    work();
    return success;
  } catch (error) {
    if (!HalError.is(error)) throw error;
    said(error.message);
    return error.code;
  }
}

export const contractsProgram: Program<object> = {
  package: 'test/arch/contracts-program',
  export: 'contractsProgram',
  version: 1,
  contracts: [Mmap, EventFd, Clock, Entropy, Channel, Seccomp, Kvm],
  lanes: {
    main: {
      root: Contracts,
      modules: () => [
        new ContainerModule(({ bind }) => void bind(Contracts).toSelf().inSingletonScope()),
      ],
    },
  },
  parseConfig: () => ({}),
};
