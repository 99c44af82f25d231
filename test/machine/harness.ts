import { Console } from '../../src/hal/console.js';
import { AnswerLedger } from '../../src/hal/contract/answers.js';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { deriveHal, methodOf } from '../../src/hal/contract/derive.js';
import { TurnScope } from '../../src/hal/contract/turn-scope.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import { simulatedEventFd } from '../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../src/hal/simulated/memory.js';
import { Reactor, type RunEnd } from '../../src/reactor/reactor.js';

export const MIB = 1 << 20;
export const VM = 100;
export const FIRST_VCPU = 200;
export const IMAGE_PATH = 'micro-guest.bin';
export const IMAGE = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);

type Exit = HalEvents<typeof Kvm>['exit'];

export interface CallRecord {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into the arguments of whatever call it was
  readonly args: any;
}

const zeroSegment = {
  base: 7n,
  limit: 0,
  selector: 0,
  type: 0,
  present: 0,
  dpl: 0,
  db: 0,
  s: 0,
  l: 0,
  g: 0,
  avl: 0,
};
const zeroTable = { base: 0n, limit: 0 };
/** What a vCPU has after its creation, marked so that a test sees what is kept of it. */
export const RESET_REGISTERS = {
  cs: zeroSegment,
  ds: zeroSegment,
  es: zeroSegment,
  fs: zeroSegment,
  gs: zeroSegment,
  ss: zeroSegment,
  tr: zeroSegment,
  ldt: zeroSegment,
  gdt: zeroTable,
  idt: zeroTable,
  cr0: 0n,
  cr2: 0n,
  cr3: 0n,
  cr4: 0n,
  cr8: 0n,
  efer: 0n,
  apicBase: 0xfee00900n,
};

/** What the fake hypervisor answers, by the name of the call. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into the arguments of whatever call it was
export type KvmResults = Readonly<Record<string, (args: any) => unknown>>;

/** A hypervisor that does nothing but note what is asked of it. */
function fakeKvm(log: CallRecord[], ownResults: KvmResults): HalOf<typeof Kvm> {
  let nextVcpu = FIRST_VCPU;
  const results: KvmResults = {
    checkExtension: () => 1,
    createVm: () => VM,
    createVcpu: () => nextVcpu++,
    tscKhz: () => 2_000_000,
    getSystemRegisters: () => RESET_REGISTERS,
    supportedCpuid: () => [
      { function: 1, index: 0, flags: 0, eax: 0x906a3, ebx: 0, ecx: 1, edx: 0x1f },
    ],
    ...ownResults,
  };
  const methods = Kvm.calls.map(({ name }) => [
    name,
    (args: unknown) => {
      log.push({ name, args: structuredClone(args) });
      return results[name]?.(args);
    },
  ]);
  return Object.fromEntries(methods) as HalOf<typeof Kvm>;
}

/** The contracts of a machine over simulated memory and a fake hypervisor, with a real reactor: its rules hold. */
export function makeHal(
  files: Readonly<Record<string, Uint8Array>> = {},
  kvmResults: KvmResults = {},
) {
  const scope = new TurnScope();
  const ledger = new AnswerLedger([Kvm, Mmap, EventFd, Console]);
  const time = { now: 0 };
  const reactor = new Reactor(scope, ledger, { begin: () => {}, end: () => {} }, () => time.now);
  const handles = new HandleSpace();
  const calls: CallRecord[] = [];
  const shown: string[] = [];
  const derive = <C extends HalContract>(contract: C, implementation: object): HalOf<C> =>
    deriveHal(contract, (spec) => methodOf(implementation, spec), {
      scope,
      ledger,
      validate: true,
    });
  const kvm = derive(Kvm, fakeKvm(calls, kvmResults));
  reactor.answer = (call, args) => methodOf(kvm, call)(args);
  const mmap = derive(
    Mmap,
    simulatedMemory({
      handles,
      files: {
        readFileSync: (path) => {
          const content = path === IMAGE_PATH ? IMAGE : files[path];
          if (content !== undefined) return content;
          throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
        },
      },
    }).create({}),
  );
  const eventFd = derive(EventFd, simulatedEventFd({ handles }).create(reactor.emitter(EventFd)));
  const console = derive(Console, {
    write: ({ data }: { data: Uint8Array }) => shown.push(new TextDecoder().decode(data)),
    listen: () => {},
  });
  const emit = reactor.emitter(Kvm);
  const ends: RunEnd[] = [];
  return {
    hal: { kvm, mmap, eventFd, console },
    reactor,
    time,
    calls,
    shown,
    ends,
    emit,
    /** Calls of one name. */
    called: (name: string) => calls.filter((call) => call.name === name).map((call) => call.args),
    start: (setUp: () => void) => reactor.start(setUp, (end) => ends.push(end)),
    /** Runs code that is no event's handler, as a device's own event would. */
    inTurn: <T>(body: () => T): T => {
      scope.active = true;
      try {
        return body();
      } finally {
        scope.active = false;
      }
    },
    /** A vCPU leaves the guest. */
    exit: (exit: Partial<Exit>) =>
      emit.exit({
        vcpu: FIRST_VCPU,
        reason: 'pio',
        address: 0,
        size: 1,
        isWrite: false,
        data: new Uint8Array(0),
        detail: 0n,
        ...exit,
      }),
  };
}
