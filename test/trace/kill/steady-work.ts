import { ContainerModule, inject, injectable } from 'inversify';
import { call, defineHal, event, type HalOf, Reactor, syscall, u32 } from '../../../src/index.js';

/** A piece of hardware that keeps a program busy for as long as it lives. */
export const Mill = defineHal('mill', {
  /** Takes so long, and holds the process up meanwhile. */
  grind: call({ turn: u32, us: u32 }, { returns: u32, syscalls: [syscall('nanosleep')] }),
  /** Orders the next turn from within this one, so that the event loop never gets to run. */
  again: call({ turn: u32 }),
  /** @param pieces how many calls the turn makes, of `us` microseconds each */
  order: event({ turn: u32, pieces: u32, us: u32, isLast: u32 }),
});
export type Mill = HalOf<typeof Mill>;

@injectable()
class Miller {
  readonly #mill: Mill;
  readonly #reactor: Reactor;

  constructor(@inject(Mill) mill: Mill, @inject(Reactor) reactor: Reactor) {
    this.#mill = mill;
    this.#reactor = reactor;
  }

  start(): void {
    this.#reactor.on(Mill, 'order', undefined, ({ turn, pieces, us, isLast }) => {
      for (let piece = 0; piece < pieces; piece += 1) this.#mill.grind({ turn, us });
      if (isLast === 0) this.#mill.again({ turn });
    });
  }
}

export const steadyWork = {
  package: 'test/trace/kill',
  export: 'steadyWork',
  version: 1,
  contracts: [Mill],
  lanes: {
    main: {
      root: Miller,
      modules: () => [new ContainerModule(({ bind }) => void bind(Miller).toSelf())],
    },
  },
  parseConfig: () => ({}),
};
