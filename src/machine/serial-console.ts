import { SerialPort } from '../devices/serial/serial-port.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { AddressSpace } from './bus.js';
import type { BoardContext } from './guest-boot.js';

/** A 16550's registers, one byte each. */
export const SERIAL_REGISTERS = 8;

export interface SerialPlace {
  readonly space: AddressSpace;
  readonly address: GuestAddress;
  readonly gsi: number;
}

/** Puts a serial port on the bus that is the machine's console, with an edge-triggered interrupt. */
export function attachSerial(
  context: BoardContext,
  { space, address, gsi }: SerialPlace,
  onLine: (line: string) => void,
): SerialPort {
  const { hal, events, vm, bus, own } = context;
  const { kvm, eventFd, console } = hal;
  const eventfd = eventFd.create({ name: 'serial' });
  own(() => eventFd.close({ eventfd }));
  kvm.irqfd({ vm, eventfd, gsi, on: true });
  const port = new SerialPort({
    console,
    events,
    interrupt: () => eventFd.signal({ eventfd }),
    onLine,
    // Only the data register, so that all others are exits: a driver that polls must see what is.
    wantsCoalescing: (on) => kvm.coalesce({ vm, address, size: 1, space, on }),
  });
  bus.add({ space, address, size: SERIAL_REGISTERS, device: port });
  return port;
}
