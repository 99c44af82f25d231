import 'reflect-metadata';
import { ContainerModule, inject, injectable } from 'inversify';
import { call, defineHal, event, type HalOf, implement, milli, Reactor, u8 } from '../src/index.js';

/** Hardware, declared once: the type, the token, the recorder and the replayer all come from this. */
export const Thermometer = defineHal('thermometer', {
  /** Reads one sensor, in degrees Celsius. */
  read: call({ sensor: u8 }, { returns: milli('celsius') }),
  overheated: event({ sensor: u8, reading: milli('celsius') }, { key: 'sensor' }),
});
export type Thermometer = HalOf<typeof Thermometer>;

/** A program: when a sensor overheats, look at its neighbour, and stop if that is hot too. */
@injectable()
export class Watchdog {
  constructor(
    @inject(Thermometer) private readonly thermometer: Thermometer,
    @inject(Reactor) private readonly reactor: Reactor,
  ) {}

  start(): void {
    this.reactor.on(Thermometer, 'overheated', undefined, ({ sensor }) => {
      if (this.thermometer.read({ sensor: sensor + 1 }) > 80) this.reactor.stop();
    });
  }
}

export const watchdogProgram = {
  package: 'examples/thermometer',
  export: 'watchdogProgram',
  version: 1,
  contracts: [Thermometer],
  lanes: {
    main: {
      root: Watchdog,
      modules: () => [new ContainerModule(({ bind }) => void bind(Watchdog).toSelf())],
    },
  },
  parseConfig: () => ({}),
};

/** The native side, faked: the neighbours of a hot sensor get hotter with every reading. */
export function fakeThermometer(heat: number[]) {
  return implement(Thermometer, (emit) => {
    setImmediate(() => {
      for (const reading of heat) emit.overheated({ sensor: 1, reading });
    });
    let reading = 70;
    return { read: ({ sensor }) => (reading += sensor * 2.125) };
  });
}
