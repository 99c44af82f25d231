import { SerialPort, type SerialPortOptions } from '../../../src/devices/serial/serial-port.js';
import type { EventSource } from '../../../src/reactor/reactor.js';

export const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7] as const;

/** What a guest's driver does with the port. */
export interface Registers {
  in(register: number): number;
  out(register: number, value: number): void;
}

type Options = Partial<Omit<SerialPortOptions, 'console' | 'events'>>;

/** A port whose console and interrupt controller are the test's. */
export function makePort(options: Options = {}) {
  const shown: string[] = [];
  const lines: string[] = [];
  const listens: boolean[] = [];
  const time = { now: 0 };
  const line = { edges: 0 };
  const handlers = new Set<(payload: { data: Uint8Array }) => void>();
  const events: EventSource = {
    get nowNs() {
      return time.now;
    },
    on: (_contract, _name, _key, handler) => {
      handlers.add(handler as never);
      return () => void handlers.delete(handler as never);
    },
    stop: () => {},
  };
  const port = new SerialPort({
    console: {
      write: ({ data }) => void shown.push(Buffer.from(data).toString('latin1')),
      listen: ({ on }) => void listens.push(on),
    },
    events,
    interrupt: () => {
      line.edges++;
    },
    onLine: (text) => lines.push(text),
    ...options,
  });
  const registers: Registers = {
    in: (register) => port.read(register, 1)[0] ?? -1,
    out: (register, value) => port.write(register, Uint8Array.of(value)),
  };
  return {
    port,
    registers,
    time,
    lines,
    listens,
    handlers,
    /** Edges since this was asked last. */
    takeEdges: () => {
      const { edges } = line;
      line.edges = 0;
      return edges;
    },
    /** What the console was given, one text for each call. */
    shown,
    type: (text: string) => {
      const data = new Uint8Array(Buffer.from(text, 'latin1'));
      for (const handler of handlers) handler({ data });
    },
    print: (text: string) => {
      for (const byte of Buffer.from(text)) registers.out(DATA, byte);
    },
    /** All that can be read, without a look at LSR. */
    readAll: (count: number) =>
      Buffer.from(Array.from({ length: count }, () => registers.in(DATA))).toString('latin1'),
  };
}

export type PortRig = ReturnType<typeof makePort>;
