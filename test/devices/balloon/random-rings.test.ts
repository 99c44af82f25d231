import test, { type ExecutionContext } from 'ava';
import { BalloonDevice } from '../../../src/devices/balloon/balloon-device.js';
import { GUEST_FAULTS, type GuestFault } from '../../../src/devices/virtio/guest-faults.js';
import type { Buffer, DriverQueue } from '../driver-model.js';
import { boot, HIGH, LIST, LOW_END, MIB, makeMachine, PAGE, statsRecord } from '../harness.js';

// R16 (free page hinting) is in hinting.test.ts; R17 (free page reporting) has a model of its own in reporting-ranges.test.ts.

const STEPS = 100_000;
const LIST_SLOTS = 512;
const LIST_SLOT_BYTES = 0x100;

/** Mulberry32: the same seed, the same run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Frames worth trying: together, at the seams and ends of RAM, and far outside. None is a ring's or a list's. */
const FRAME_BASES = [
  0x200,
  0x210,
  (16 * MIB) / PAGE - 8,
  LOW_END / PAGE - 8,
  HIGH / PAGE - 8,
  (HIGH + 8 * MIB) / PAGE - 8,
  0xffffffff - 15,
];

function isRam(frame: number): boolean {
  const high = HIGH / PAGE;
  return frame < LOW_END / PAGE || (frame >= high && frame < high + (8 * MIB) / PAGE);
}

/** What the model expects of one queue at its next kick. */
interface Pending {
  used: number[];
  frames: number[];
  descriptors: number;
}

const nothing = (): Pending => ({ used: [], frames: [], descriptors: 0 });

/** Drives one balloon at random, and a model of sets and lists beside it. */
class RandomRun {
  readonly #t: ExecutionContext;
  readonly #random: (below: number) => number;
  readonly #machine = makeMachine();
  readonly #device: BalloonDevice;
  #discarded: number[] = [];
  readonly #expectedFaults = new Map<GuestFault, number>();
  #slot = 0;
  #inflate = nothing();
  #deflate = nothing();
  #stats = { chains: [] as { head: number; isGood: boolean }[], held: -1, isReady: false };
  #isAsking = false;
  #asked = 0;
  #waiting = 0;
  answered = 0;
  kicks = 0;
  resets = 0;
  pages = 0;

  constructor(t: ExecutionContext, seed: number) {
    this.#t = t;
    this.#random = randomNumbers(seed);
    const { mmap, ram, transport, faults } = this.#machine;
    const spy = {
      ...mmap,
      discard: (args: { region: number; ranges: Float64Array }) => {
        this.#note(args);
        mmap.discard(args);
      },
    };
    const listener = {
      actualChanged: () => {},
      statsFailed: () => {},
      statsAnswered: () => {
        this.answered--;
      },
    };
    const deps = { mmap: spy, ram, frontend: transport, faults, listener };
    this.#device = new BalloonDevice(deps);
    transport.disconnect();
    transport.connect(this.#device);
    boot(this.#machine);
  }

  step(): void {
    const choice = this.#random(1000);
    if (choice < 300) this.#post(this.#machine.inflate, this.#inflate);
    else if (choice < 450) this.#post(this.#machine.deflate, this.#deflate);
    else if (choice < 650) this.#kickInflate();
    else if (choice < 750) this.#kickDeflate();
    else if (choice < 820) this.#postStats();
    else if (choice < 890) this.#kickStats();
    else if (choice < 950) this.#requestStats();
    else if (choice < 955) this.#expire();
    else if (choice < 980) this.#writeConfig();
    else if (choice < 990) this.#jump();
    else if (choice < 995) this.#garbage();
    else this.#reset();
  }

  /** Every counter is what the model counted, once all that was posted is served. */
  checkFaults(): void {
    this.#serveAll();
    for (const fault of GUEST_FAULTS) {
      const expected = this.#expectedFaults.get(fault) ?? 0;
      this.#same(this.#machine.faults.of(fault), expected, fault);
    }
  }

  #note(args: { region: number; ranges: Float64Array }): void {
    for (let index = 0; index < args.ranges.length; index += 2) {
      const start = args.ranges[index] ?? 0;
      for (let at = start; at < start + (args.ranges[index + 1] ?? 0); at += PAGE) {
        this.#discarded.push(this.#frameOf(args.region, at));
      }
    }
  }

  #frameOf(region: number, offset: number): number {
    const part = this.#machine.ram.find(
      (p) => p.region === region && offset >= p.offset && offset < p.offset + p.size,
    );
    if (part === undefined) throw new Error(`a discard outside of RAM, at ${offset}`);
    return (part.address + offset - part.offset) / PAGE;
  }

  #same(found: unknown, expected: unknown, what: string): void {
    // A comparison by AVA for each of a million values would take minutes.
    if (found !== expected) this.#t.is(found, expected, what);
  }

  #fault(fault: GuestFault, times = 1): void {
    this.#expectedFaults.set(fault, (this.#expectedFaults.get(fault) ?? 0) + times);
  }

  #nextList(frames: readonly number[]): Buffer {
    const address = LIST + (this.#slot++ % LIST_SLOTS) * LIST_SLOT_BYTES + this.#random(2) * 2;
    const bytes = new Uint8Array(Uint32Array.from(frames).buffer);
    this.#machine.guest.write(address, bytes);
    return { address, length: frames.length * 4 };
  }

  #frames(): number[] {
    const count = 1 + this.#random(30);
    const base = FRAME_BASES[this.#random(FRAME_BASES.length)] ?? 0;
    const isRun = this.#random(2) === 0;
    return Array.from(
      { length: count },
      (_, index) => base + (isRun ? index % 16 : this.#random(16)),
    );
  }

  #post(queue: DriverQueue, pending: Pending): void {
    if (pending.descriptors > 110) return;
    const kind = this.#random(20);
    if (kind === 0) {
      queue.pushHead(128 + this.#random(1000));
      this.#fault('bad-head');
      pending.descriptors++;
      return;
    }
    if (kind < 4) this.#postMalformed(queue, pending, kind);
    else this.#postChain(queue, pending);
  }

  #postMalformed(queue: DriverQueue, pending: Pending, kind: number): void {
    const list = this.#nextList(this.#frames());
    const head = queue.post(list);
    pending.used.push(head);
    pending.descriptors += 2;
    if (kind === 1) {
      queue.writeDescriptor(head, list.address, list.length, 1, 128 + this.#random(60_000));
      this.#fault('bad-next');
    } else if (kind === 2) {
      queue.writeDescriptor(head, list.address, list.length, 1, head);
      this.#fault('descriptor-reused');
    } else {
      queue.writeDescriptor(head, list.address, list.length, 4 | this.#random(4), head);
      this.#fault('indirect-descriptor');
    }
  }

  #postChain(queue: DriverQueue, pending: Pending): void {
    const buffers: Buffer[] = [];
    const frames: number[] = [];
    const faults: GuestFault[] = [];
    for (let count = 1 + this.#random(3); count > 0; count--) {
      const listed = this.#frames();
      const list = this.#nextList(listed);
      const kind = this.#random(12);
      if (kind === 0) {
        buffers.push({ ...list, length: list.length - 1 });
        faults.push('pfn-list-length');
      } else if (kind === 1) {
        buffers.push({ address: LOW_END - 4, length: 8 + 4 * this.#random(2 ** 28) });
        faults.push('buffer-outside-ram');
      } else if (kind === 2) {
        buffers.push({ address: 2 ** 63, length: 0 });
      } else {
        buffers.push(list);
        frames.push(...listed);
      }
    }
    const tail = this.#random(15);
    if (tail === 0) buffers.push({ address: LIST, length: 4, writable: true });
    if (tail === 1) buffers.unshift({ address: LIST, length: 4, writable: true });
    const head = queue.post(...buffers);
    pending.used.push(head);
    pending.descriptors += buffers.length;
    if (tail === 1) {
      this.#fault('readable-after-writable');
      return;
    }
    if (tail === 0) faults.push('write-only-buffer');
    for (const fault of faults) this.#fault(fault);
    pending.frames.push(...frames);
  }

  #kickInflate(): void {
    const { frames, used } = this.#inflate;
    this.#inflate = nothing();
    this.#discarded = [];
    this.#kick(0);
    const unique = [...new Set(frames)].sort((a, b) => a - b);
    const ram = unique.filter(isRam);
    this.#fault('pfn-duplicate', frames.length - unique.length);
    this.#fault('pfn-outside-ram', unique.length - ram.length);
    this.#same(this.#discarded.join(), ram.join(), 'the pages given back');
    this.#checkUsed(this.#machine.inflate, used);
    this.pages += ram.length;
  }

  #kickDeflate(): void {
    const { used } = this.#deflate;
    this.#deflate = nothing();
    this.#discarded = [];
    this.#kick(1);
    this.#same(this.#discarded.length, 0, 'pages given back by a deflate');
    this.#checkUsed(this.#machine.deflate, used);
  }

  #checkUsed(queue: DriverQueue, heads: readonly number[]): void {
    const found = queue.takeUsed();
    this.#same(found.map((used) => used.id).join(), heads.join(), 'the chains given back');
    this.#same(
      found.every((used) => used.length === 0),
      true,
      'lengths of used elements',
    );
  }

  #postStats(): void {
    if (this.#stats.chains.length > 100) return;
    const { stats: queue } = this.#machine;
    const isGood = this.#random(8) !== 0;
    this.#machine.guest.write(LIST - 0x1000, Uint8Array.from(statsRecord(4, this.#random(1e9))));
    const head = queue.post({ address: LIST - 0x1000, length: 10 });
    if (!isGood) {
      queue.writeDescriptor(head, LIST, 10, 1, head);
      this.#fault('descriptor-reused');
    }
    this.#stats.chains.push({ head, isGood });
  }

  #kickStats(): void {
    const used: number[] = [];
    for (const { head, isGood } of this.#stats.chains) {
      if (!isGood) {
        used.push(head);
      } else if (this.#stats.held >= 0) {
        used.push(head);
        this.#fault('stats-extra-buffer');
      } else {
        this.#stats.held = head;
        this.#stats.isReady = true;
        if (this.#isAsking) {
          this.answered += this.#asked;
          this.#asked = 0;
        }
        this.#isAsking = false;
      }
    }
    this.#stats.chains = [];
    used.push(...this.#ask());
    this.#kick(2);
    this.#checkUsed(this.#machine.stats, used);
    this.#same(this.answered, 0, 'answers that are missing or too many');
  }

  #ask(): number[] {
    const { held } = this.#stats;
    if (held < 0 || this.#waiting === 0) return [];
    this.#stats.held = -1;
    this.#isAsking = true;
    this.#asked += this.#waiting;
    this.#waiting = 0;
    return [held];
  }

  #requestStats(): void {
    const answer = this.#device.requestStats(0);
    this.#same(answer === 'not-ready', !this.#stats.isReady, 'readiness');
    if (!this.#stats.isReady) return;
    this.#waiting++;
    this.#checkUsed(this.#machine.stats, this.#ask());
  }

  #expire(): void {
    this.#device.expireStats(1e15);
    this.#asked = 0;
    this.#waiting = 0;
  }

  #writeConfig(): void {
    const offset = this.#random(16);
    const size = 1 << this.#random(4);
    const isActual = offset === 4 && size === 4;
    const data = new Uint8Array(size).fill(this.#random(256));
    this.#machine.transport.write(0x100 + offset, data);
    if (!isActual) this.#fault('config-access');
    this.#same(this.#machine.driver.read32(0x100), 0, 'num_pages');
  }

  /** R1, then the reset that it needs. */
  #jump(): void {
    const { inflate, driver } = this.#machine;
    this.#kickInflate();
    inflate.setAvailIndex(inflate.availIndex + 129 + this.#random(60_000));
    this.#kick(0);
    this.#fault('avail-index-jump');
    this.#same(driver.status, 0x4f, 'NEEDS_RESET');
    this.#same(inflate.takeUsed().length, 0, 'used elements of a broken queue');
    this.#kickDeflate();
    this.#kickStats();
    this.#startOver();
  }

  /** Random bytes all over a ring: nothing can be expected but that the device survives it. */
  #garbage(): void {
    this.checkFaults();
    for (const [index, queue] of [this.#machine.inflate, this.#machine.deflate].entries()) {
      const bytes = Uint8Array.from({ length: 16 * 128 + 6 + 256 }, () => this.#random(256));
      const availIndex = queue.availIndex + this.#random(128);
      this.#machine.guest.write(queue.descriptors, bytes);
      queue.setAvailFlags(this.#random(0x10000));
      queue.setAvailIndex(availIndex);
      this.#kick(index);
    }
    for (const fault of GUEST_FAULTS) {
      this.#expectedFaults.set(fault, this.#machine.faults.of(fault));
    }
    this.#startOver();
  }

  #reset(): void {
    this.#serveAll();
    this.#startOver();
  }

  #serveAll(): void {
    this.#kickInflate();
    this.#kickDeflate();
    this.#kickStats();
  }

  #startOver(): void {
    const machine = this.#machine;
    machine.driver.writeStatus(0);
    for (const queue of [machine.inflate, machine.deflate, machine.stats]) queue.restart();
    this.#stats = { chains: [], held: -1, isReady: false };
    this.#isAsking = false;
    this.#asked = 0;
    this.#waiting = 0;
    boot(machine);
    this.resets++;
  }

  #kick(index: number): void {
    this.kicks++;
    if (this.#random(2) === 0) this.#machine.driver.kick(index);
    else this.#device.kick(index);
  }
}

test('a hundred thousand random steps: pages, used elements and faults as the model says', (t) => {
  const run = new RandomRun(t, 20181101);
  for (let step = 0; step < STEPS; step++) {
    run.step();
    if (step % 100 === 0) run.checkFaults();
  }
  t.true(run.kicks > STEPS / 4);
  t.true(run.resets > STEPS / 200);
  t.true(run.pages > STEPS);
});
