import type { AnyImplementation } from '../../../src/hal/bind.js';
import type { HalContract, HalEvents, HalOf } from '../../../src/hal/contract/define.js';
import { type NativeOptions, nativeImplementations } from '../../../src/hal/native/index.js';
import type { HalSource } from '../../contract/rig.js';

type Payload = Readonly<Record<string, unknown>>;

/** The native side alone, without turns and whatever a profile puts before it. */
export class NativeRig implements HalSource {
  readonly #implementations: readonly AnyImplementation[];
  readonly #hals = new Map<HalContract, object>();
  readonly #arrived = new Map<string, Payload[]>();
  readonly #waiting = new Map<string, ((payload: Payload) => void)[]>();

  constructor(options: NativeOptions) {
    this.#implementations = nativeImplementations(options);
    for (const implementation of this.#implementations) {
      const { contract } = implementation;
      const emit = Object.fromEntries(
        contract.events.map(({ name }) => [
          name,
          (payload: Payload) => this.#arrive(`${contract.halName}.${name}`, payload),
        ]),
      );
      this.#hals.set(contract, implementation.create(emit as never));
    }
  }

  hal<C extends HalContract>(contract: C): HalOf<C> {
    const hal = this.#hals.get(contract);
    if (hal === undefined) throw new Error(`the rig has no ${contract.halName}`);
    return hal as HalOf<C>;
  }

  nextEvent<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
  ): Promise<HalEvents<C>[E]> {
    const key = `${contract.halName}.${name}`;
    const payload = this.#arrived.get(key)?.shift();
    if (payload !== undefined) return Promise.resolve(payload as HalEvents<C>[E]);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? [];
      waiting.push(resolve as (payload: Payload) => void);
      this.#waiting.set(key, waiting);
    });
  }

  pending(contract: HalContract, name: string): number {
    return this.#arrived.get(`${contract.halName}.${name}`)?.length ?? 0;
  }

  dispose(): void {
    for (const implementation of this.#implementations) implementation.dispose?.();
  }

  #arrive(key: string, payload: Payload): void {
    const waiter = this.#waiting.get(key)?.shift();
    if (waiter !== undefined) {
      waiter(payload);
      return;
    }
    const arrived = this.#arrived.get(key) ?? [];
    arrived.push(payload);
    this.#arrived.set(key, arrived);
  }
}

export function makeNativeRig(options: NativeOptions = {}): NativeRig {
  return new NativeRig(options);
}
