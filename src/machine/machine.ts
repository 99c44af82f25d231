import { inject, injectable } from 'inversify';
import { Console } from '../hal/console.js';
import type { HalEvents } from '../hal/contract/define.js';
import type { Bytes } from '../hal/contract/units.js';
import { EventFd } from '../hal/event-fd.js';
import { Kvm } from '../hal/kvm.js';
import { Mmap } from '../hal/mmap.js';
import { Reactor } from '../reactor/reactor.js';
import { Bus, type BusDevice } from './bus.js';
import { bytePort, CONSOLE_PORT, EXIT_PORT, exitPort, LINE_PORT, linePort } from './guest-ports.js';
import { MMIO_GAP_START, mmioSlot, ramRanges, VIRTIO_MMIO_SIZE } from './layout.js';
import { loadMicroGuest, type MicroGuestWork } from './micro-guest.js';
import { setBootRegisters, writeBootTables } from './x86-64-boot.js';

type Exit = HalEvents<typeof Kvm>['exit'];

/** Why a VM ended. */
export interface MachineEnd {
  readonly reason: 'guest-exit' | 'shutdown' | 'stopped' | 'internal-error' | 'fail-entry';
  /** The guest's exit code, or KVM's number. */
  readonly code: number;
}

/** A stretch of RAM and where its bytes are. */
export interface RamPart {
  readonly address: number;
  readonly size: Bytes;
  readonly region: number;
  readonly offset: Bytes;
}

/** How a virtio device is joined to the machine. */
export interface MmioAttachment {
  readonly gsi: number;
  readonly address: number;
  /** Signalling it raises the device's interrupt. */
  readonly interrupt: number;
  /** Signalled by the guest's notification of each queue. */
  readonly kicks: readonly number[];
}

export interface MachineOptions {
  readonly ramBytes: Bytes;
  readonly imagePath: string;
  readonly work: MicroGuestWork;
}

/** Three pages that KVM wants on Intel, above the MMIO windows (Linux Documentation/virt/kvm/api.rst). */
const TSS_ADDRESS = 0xfffb_d000;
const QUEUE_NOTIFY_OFFSET = 0x50;
/** A flooding guest shows this many lines a second; the rest is counted. */
const MAX_LINES_PER_SECOND = 200;
const NS_PER_SECOND = 1_000_000_000;

/** An x86_64 VM with one vCPU, running the micro guest. */
@injectable()
export class Machine {
  readonly bus = new Bus();
  ram: readonly RamPart[] = [];
  /** Called once, in the turn in which the VM ends. */
  onEnd: (end: MachineEnd) => void = () => {};
  /** Called with each line of the guest's console. */
  onLine: (line: string) => void = () => {};
  droppedLines = 0;
  #vm = 0;
  #vcpu = 0;
  #end: MachineEnd | undefined;
  #lineWindowNs = 0;
  #linesInWindow = 0;
  #slots = 0;

  constructor(
    @inject(Kvm) private readonly kvm: Kvm,
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Console) private readonly console: Console,
    @inject(Reactor) private readonly reactor: Reactor,
  ) {}

  /** Creates the VM and its memory. Devices are attached next, then `boot`. */
  create(ramBytes: Bytes): void {
    const { kvm, mmap } = this;
    this.#vm = kvm.createVm();
    const vm = this.#vm;
    kvm.setTssAddress({ vm, address: TSS_ADDRESS });
    kvm.createIrqchip({ vm });
    kvm.createPit({ vm });
    this.ram = ramRanges(ramBytes).map(({ address, size }, slot) => {
      const region = mmap.createRegion({ name: `guest-ram-${slot}`, size });
      kvm.setMemory({ vm, slot, address, size, region, offset: 0, readOnly: false });
      return { address, size, region, offset: 0 };
    });
    this.#addPorts();
  }

  /** Gives a device the next window, an interrupt and a doorbell for each queue. */
  attach(name: string, queues: number): MmioAttachment {
    const { kvm, eventFd } = this;
    const vm = this.#vm;
    const { address, gsi } = mmioSlot(this.#slots++);
    const interrupt = eventFd.create({ name: `${name}-interrupt` });
    kvm.irqfd({ vm, eventfd: interrupt, gsi, on: true });
    const kicks = Array.from({ length: queues }, (_, queue) => {
      const eventfd = eventFd.create({ name: `${name}-kick-${queue}` });
      kvm.ioeventfd({
        vm,
        eventfd,
        address: address + QUEUE_NOTIFY_OFFSET,
        space: 'mmio',
        length: 4,
        hasMatch: true,
        match: queue,
        on: true,
      });
      return eventfd;
    });
    return { address, gsi, interrupt, kicks };
  }

  /** Puts the device behind its window. */
  addMmio(attachment: MmioAttachment, device: BusDevice): void {
    this.bus.add('mmio', attachment.address, VIRTIO_MMIO_SIZE, device);
  }

  /** Loads the guest and starts its vCPU. */
  boot(options: MachineOptions, balloon: MmioAttachment): void {
    const { kvm, mmap } = this;
    const vm = this.#vm;
    this.#vcpu = kvm.createVcpu({ vm, id: 0 });
    const vcpu = this.#vcpu;
    kvm.setCpuid({ vcpu, entries: kvm.supportedCpuid() });
    const { region } = this.#lowRam();
    writeBootTables(mmap, region);
    loadMicroGuest(mmap, region, options.imagePath, {
      ...options.work,
      ramBytes: options.ramBytes,
      mmioAddress: balloon.address,
      gsi: balloon.gsi,
      tscKhz: kvm.tscKhz({ vcpu }),
    });
    setBootRegisters(kvm, vcpu);
    this.reactor.on(Kvm, 'exit', vcpu, (exit) => this.#serve(exit));
    this.reactor.on(Kvm, 'coalesced', vm, ({ space, address, data }) =>
      this.bus.write(space, address, data),
    );
    kvm.run({ vcpu });
  }

  /** Asks the vCPU to stop; `onEnd` follows in a later turn. */
  stop(): void {
    if (this.#end === undefined) this.kvm.stop({ vcpu: this.#vcpu });
  }

  /** Closes the VM. After `onEnd`. */
  close(): void {
    this.kvm.closeVm({ vm: this.#vm });
    for (const { region } of this.ram) this.mmap.closeRegion({ region });
  }

  /** What the host holds of the guest's RAM. */
  residentBytes(): Bytes {
    return this.ram.reduce((sum, { region }) => sum + this.mmap.residency({ region }), 0);
  }

  #lowRam(): RamPart {
    const [low] = this.ram;
    if (low === undefined) throw new TypeError('the machine has not been created');
    return low;
  }

  #addPorts(): void {
    const decoder = new TextDecoder();
    const show = (data: Uint8Array) => {
      if (!this.#mayShow()) return;
      this.console.write({ data });
      this.onLine(decoder.decode(data).trimEnd());
    };
    this.bus.add('pio', CONSOLE_PORT, 8, bytePort(show));
    this.bus.add(
      'pio',
      LINE_PORT,
      4,
      linePort((a, into) => this.#readRam(a, into), show),
    );
    this.bus.add(
      'pio',
      EXIT_PORT,
      1,
      exitPort((code) => this.#ended({ reason: 'guest-exit', code })),
    );
  }

  #readRam(address: number, into: Uint8Array): boolean {
    const { region, size } = this.#lowRam();
    if (address + into.length > Math.min(size, MMIO_GAP_START)) return false;
    this.mmap.read({ region, offset: address, into });
    return true;
  }

  #mayShow(): boolean {
    const { nowNs } = this.reactor;
    if (nowNs - this.#lineWindowNs >= NS_PER_SECOND) {
      this.#lineWindowNs = nowNs;
      this.#linesInWindow = 0;
    }
    if (++this.#linesInWindow <= MAX_LINES_PER_SECOND) return true;
    this.droppedLines++;
    return false;
  }

  #serve(exit: Exit): void {
    const { vcpu } = exit;
    switch (exit.reason) {
      case 'pio':
      case 'mmio': {
        const data = this.#access(exit.reason, exit);
        this.kvm.complete({ vcpu, data, resume: this.#end === undefined });
        break;
      }
      case 'hlt':
        this.kvm.complete({ vcpu, data: NO_DATA, resume: true });
        break;
      default:
        this.#ended({ reason: endReason(exit.reason), code: Number(exit.detail & 0xffff_ffffn) });
        this.kvm.complete({ vcpu, data: NO_DATA, resume: false });
    }
    if (this.#end !== undefined) this.onEnd(this.#end);
  }

  #access(space: 'pio' | 'mmio', exit: Exit): Uint8Array {
    const { address, size, isWrite, data } = exit;
    if (data.length === size) {
      if (!isWrite) return this.bus.read(space, address, size);
      this.bus.write(space, address, data);
      return NO_DATA;
    }
    // A string instruction: the same port, again and again.
    const answer = new Uint8Array(isWrite ? 0 : data.length);
    for (let at = 0; at + size <= data.length; at += size) {
      if (isWrite) this.bus.write(space, address, data.subarray(at, at + size));
      else answer.set(this.bus.read(space, address, size), at);
    }
    return answer;
  }

  #ended(end: MachineEnd): void {
    this.#end ??= end;
  }
}

const NO_DATA = new Uint8Array(0);

function endReason(reason: Exit['reason']): MachineEnd['reason'] {
  switch (reason) {
    case 'stopped':
    case 'fail-entry':
      return reason;
    case 'shutdown':
    case 'system-event':
      return 'shutdown';
    default:
      return 'internal-error';
  }
}
