import type { HalEvents, HalOf } from '../hal/contract/define.js';
import { Kvm } from '../hal/kvm.js';
import type { EventSource } from '../reactor/reactor.js';
import { type AddressSpace, type Bus, PendingAnswer } from './bus.js';
import type { VmEnd } from './vm-end.js';

type Exit = HalEvents<typeof Kvm>['exit'];

export interface VcpusOptions {
  readonly kvm: HalOf<typeof Kvm>;
  readonly events: EventSource;
  readonly bus: Bus;
  readonly vm: number;
  readonly vcpus: readonly number[];
  /** Why an exit ends the machine, for who knows better than KVM. */
  readonly reasonOf?: ((end: VmEnd) => VmEnd) | undefined;
  /** Called once, when the end has a reason and no vCPU runs any more. */
  readonly onEnd: (end: VmEnd) => void;
}

/**
 * `created` has not run yet, `running` runs guest code, `serving` waits for the answer to an exit, `ended` has no
 * thread any more.
 */
type VcpuState = 'created' | 'running' | 'serving' | 'ended';

interface Vcpu {
  readonly handle: number;
  state: VcpuState;
  /** The exit that waits for its answer. */
  exit: Exit | undefined;
}

const NO_DATA = new Uint8Array(0);

/**
 * Answers the exits of a machine's vCPUs: accesses go to the bus, anything else ends the machine. Each exit is completed
 * exactly once, in its own turn or, when a device answers later, in the device's.
 */
export class Vcpus {
  readonly #options: VcpusOptions;
  readonly #vcpus: readonly Vcpu[];
  readonly #subscriptions: (() => void)[];
  #end: VmEnd | undefined;
  #isOver = false;

  constructor(options: VcpusOptions) {
    this.#options = options;
    this.#vcpus = options.vcpus.map((handle) => ({ handle, state: 'created', exit: undefined }));
    const { events, vm } = options;
    this.#subscriptions = [
      events.on(Kvm, 'coalesced', vm, (write) => {
        // The guest went on long ago: whatever the device answers, nobody waits for it.
        options.bus.write(write.space, write.address, write.data);
      }),
      ...this.#vcpus.map((vcpu) =>
        events.on(Kvm, 'exit', vcpu.handle, (exit) => this.#serve(vcpu, exit)),
      ),
    ];
  }

  /** Why the machine ends, once that is settled; its vCPUs may still be on their way out. */
  get end(): VmEnd | undefined {
    return this.#end;
  }

  /** @throws Error if they ran before. */
  run(): void {
    if (this.#end !== undefined || this.#vcpus.some((vcpu) => vcpu.state !== 'created')) {
      throw new Error('a machine runs once; make another one to run again');
    }
    for (const vcpu of this.#vcpus) {
      vcpu.state = 'running';
      this.#options.kvm.run({ vcpu: vcpu.handle });
    }
  }

  /** Ends the machine. The first reason counts; a device may call it while it serves an access. */
  finish(end: VmEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const vcpu of this.#vcpus) this.#stop(vcpu);
    this.#reportEnd();
  }

  /** Lets go of vCPUs that wait for an answer, and listens no longer. The VM is closed next. */
  dispose(): void {
    this.#end ??= { kind: 'stopped', why: 'the machine was closed' };
    for (const vcpu of this.#vcpus) {
      if (vcpu.exit !== undefined) this.#complete(vcpu, unanswered(vcpu.exit));
    }
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
  }

  #stop(vcpu: Vcpu): void {
    if (vcpu.state === 'running') this.#options.kvm.stop({ vcpu: vcpu.handle });
    if (vcpu.state === 'created') vcpu.state = 'ended';
    const { exit } = vcpu;
    if (exit !== undefined) this.#complete(vcpu, unanswered(exit));
  }

  #serve(vcpu: Vcpu, exit: Exit): void {
    vcpu.state = 'serving';
    vcpu.exit = exit;
    if (this.#end !== undefined) {
      this.#complete(vcpu, unanswered(exit));
      this.#reportEnd();
      return;
    }
    const { reason } = exit;
    if (reason === 'pio' || reason === 'mmio') {
      const data = exit.isWrite ? NO_DATA : new Uint8Array(exit.data.length);
      this.#access(vcpu, exit, reason, data, 0);
    } else {
      const end = endOf(exit);
      this.finish(this.#options.reasonOf?.(end) ?? end);
    }
  }

  /** Serves the accesses of an exit from byte `from` on: a string instruction has several, all at one address. */
  #access(vcpu: Vcpu, exit: Exit, space: AddressSpace, data: Uint8Array, from: number): void {
    const { bus } = this.#options;
    const { address, size, isWrite } = exit;
    for (let done = from; done < exit.data.length; done += size) {
      // A device may have ended the machine; then the exit is completed and the rest has no reader.
      if (vcpu.exit !== exit) return;
      const answer = isWrite
        ? bus.write(space, address, exit.data.subarray(done, done + size))
        : bus.read(space, address, size);
      if (answer instanceof PendingAnswer) {
        answer.receive((late) => {
          if (vcpu.exit !== exit) return;
          if (!isWrite) put(data, done, late, exit);
          this.#access(vcpu, exit, space, data, done + size);
        });
        return;
      }
      if (answer !== undefined) put(data, done, answer, exit);
    }
    if (vcpu.exit === exit) this.#complete(vcpu, data);
  }

  #complete(vcpu: Vcpu, data: Uint8Array): void {
    const resume = this.#end === undefined;
    vcpu.exit = undefined;
    vcpu.state = resume ? 'running' : 'ended';
    this.#options.kvm.complete({ vcpu: vcpu.handle, data, resume });
  }

  #reportEnd(): void {
    const end = this.#end;
    const allEnded = this.#vcpus.every((vcpu) => vcpu.state === 'ended');
    if (end === undefined || this.#isOver || !allEnded) return;
    this.#isOver = true;
    this.#options.onEnd(end);
  }
}

function put(into: Uint8Array, offset: number, answer: Uint8Array, exit: Exit): void {
  if (answer.length !== exit.size) {
    throw new Error(
      `a device answered a read of ${exit.size} bytes at ${exit.reason} 0x${exit.address.toString(16)} with ` +
        `${answer.length}`,
    );
  }
  into.set(answer, offset);
}

/** What completes an exit that no device answered: all ones for a read. */
function unanswered(exit: Exit): Uint8Array {
  const isRead = (exit.reason === 'pio' || exit.reason === 'mmio') && !exit.isWrite;
  return isRead ? new Uint8Array(exit.data.length).fill(0xff) : NO_DATA;
}

function endOf(exit: Exit): VmEnd {
  switch (exit.reason) {
    case 'shutdown':
      return { kind: 'shutdown' };
    case 'system-event':
      return systemEvent(exit.detail);
    case 'internal-error':
      return { kind: 'internal-error', suberror: exit.detail };
    case 'fail-entry':
      return { kind: 'fail-entry', hardwareReason: exit.detail };
    case 'hlt':
      return { kind: 'halted' };
    case 'stopped':
      return { kind: 'stopped', why: 'a vCPU was made to exit' };
    default:
      return { kind: 'unknown-exit', exitReason: exit.detail };
  }
}

/** KVM_SYSTEM_EVENT_*: how PSCI turns a machine off and restarts it. */
function systemEvent(type: bigint): VmEnd {
  if (type === 1n) return { kind: 'power-off' };
  if (type === 2n) return { kind: 'reset' };
  return { kind: 'system-event', type };
}
