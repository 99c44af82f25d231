import { writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import type { HalContract, HalEvents, HalOf } from '../../../src/hal/contract/define.js';
import { hostFilesOver } from '../../../src/hal/native/host-files.js';
import { type NativeOptions, nativeImplementations } from '../../../src/hal/native/index.js';
import { architectureOf } from '../../../src/seccomp/architecture.js';
import { type MadeSyscall, madeSyscalls } from '../../../src/verdict/made-syscalls.js';

/** No process has such a number, so that getpriority(2) of it is a mark in what strace(1) sees, and nothing else. */
export const FIRST_MARK = 0x4000_0000;

/** A system call as declared, its words as text. */
export interface Declared {
  readonly names: readonly { readonly name: string; readonly words: readonly (string | null)[] }[];
  readonly times: MadeSyscall['times'];
}

/** What happened between two marks, or before one if it is an event. */
export interface Window {
  readonly entry: string;
  readonly kind: 'call' | 'event';
  /** The mark after it. The one before a call is one less. */
  readonly mark: number;
  readonly declared: readonly Declared[];
}

type Payload = Readonly<Record<string, unknown>>;

/** The native side, with marks around each call and after each event. */
export class TracedHal {
  readonly windows: Window[] = [];
  readonly #hals = new Map<HalContract, object>();
  readonly #arrived: [string, Payload][] = [];
  #mark = FIRST_MARK;

  constructor(options: NativeOptions) {
    for (const implementation of [...nativeImplementations(options), hostFilesOver()]) {
      const { contract } = implementation;
      const emit = Object.fromEntries(
        contract.events.map((spec) => [
          spec.name,
          (payload: Payload) => {
            const entry = `${contract.halName}.${spec.name}`;
            this.#add(entry, 'event', spec.definition.options.syscalls ?? [], payload);
            this.#makeMark();
            this.#arrived.push([entry, payload]);
          },
        ]),
      );
      const hal = implementation.create(emit as never) as Record<
        string,
        (args: Payload) => unknown
      >;
      const traced = contract.calls.map((spec) => [
        spec.name,
        (args: Payload = {}) => {
          this.#makeMark();
          const result = hal[spec.name]?.(args);
          const entry = `${contract.halName}.${spec.name}`;
          this.#add(entry, 'call', spec.definition.options.syscalls ?? [], args);
          this.#makeMark();
          return result;
        },
      ]);
      this.#hals.set(contract, Object.fromEntries(traced) as object);
    }
  }

  hal<C extends HalContract>(contract: C): HalOf<C> {
    return this.#hals.get(contract) as HalOf<C>;
  }

  async nextEvent<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
  ): Promise<HalEvents<C>[E]> {
    const entry = `${contract.halName}.${name}`;
    for (;;) {
      const at = this.#arrived.findIndex(([arrived]) => arrived === entry);
      const [found] = at === -1 ? [] : this.#arrived.splice(at, 1);
      if (found !== undefined) return found[1] as HalEvents<C>[E];
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Says what should be seen, for `path`'s reader. */
  write(path: string): void {
    writeFileSync(path, JSON.stringify({ pid: process.pid, windows: this.windows }));
  }

  #makeMark(): void {
    try {
      getPriority(this.#mark++);
    } catch {
      // There is no such process.
    }
  }

  /** To be called before the mark that ends it. */
  #add(
    entry: string,
    kind: Window['kind'],
    footprint: Parameters<typeof madeSyscalls>[0] | 'node',
    args: Payload,
  ): void {
    if (footprint === 'node') return;
    const made = madeSyscalls(footprint, args, architectureOf(process.arch));
    const declared = made.flatMap((each) =>
      Array.from({ length: each.count }, () => ({
        names: [each, ...each.instead].map(({ name, words }) => ({
          name,
          words: words.map((word) => word?.toString() ?? null),
        })),
        times: each.times,
      })),
    );
    this.windows.push({ entry, kind, mark: this.#mark, declared });
  }
}
