import { type PowerPorts, SLEEP_TYPE_OFF } from './acpi-tables.js';
import type { BusDevice } from './bus.js';
import type { Board, BoardContext } from './guest-boot.js';
import { PanicWatch } from './panic-watch.js';
import { attachSerial } from './serial-console.js';

/** COM1. */
export const PC_SERIAL = { firstPort: 0x3f8, irq: 4 } as const;

/** Free ports of a PC; the guest learns them from its ACPI tables. */
export const PC_POWER_PORTS: PowerPorts = {
  sleepControl: 0x600,
  sleepStatus: 0x601,
  reset: 0x602,
  resetValue: 1,
};

/** The keyboard controller's command port, whose pulse of the reset line is the PC's oldest way to restart. */
const KEYBOARD_COMMAND = 0x64;
const PULSE_RESET = 0xfe;
const SLEEP_ENABLE = 1 << 5;

/** What a Linux guest finds on a PC besides its virtio devices: a console, and ways to turn the machine off. */
export function attachPcBoard(context: BoardContext): Board {
  const { bus, onLine } = context;
  const watch = new PanicWatch(context.finish);
  const { firstPort: address, irq: gsi } = PC_SERIAL;
  const serial = attachSerial(context, { space: 'pio', address, gsi }, (line) => {
    onLine?.(line);
    watch.line(line);
  });
  const port = (at: number, device: BusDevice): void =>
    bus.add({ space: 'pio', address: at, size: 1, device });
  port(
    PC_POWER_PORTS.sleepControl,
    command(isSoftOff, () => watch.end({ kind: 'power-off' })),
  );
  port(
    PC_POWER_PORTS.sleepStatus,
    command(
      () => false,
      () => {},
    ),
  );
  const reset = (): void => watch.end({ kind: 'reset' });
  port(
    PC_POWER_PORTS.reset,
    command((value) => value === PC_POWER_PORTS.resetValue, reset),
  );
  // Its status reads 0: nothing waits, and a guest that wants to restart need not either.
  port(
    KEYBOARD_COMMAND,
    command((value) => value === PULSE_RESET, reset),
  );
  return { type: (data) => serial.receive(data), close: () => serial.close() };
}

function isSoftOff(value: number): boolean {
  return (value & SLEEP_ENABLE) !== 0 && ((value >> 2) & 7) === SLEEP_TYPE_OFF;
}

/** A register of one byte that reads as 0 and does something when the right value is written. */
function command(isMeant: (value: number) => boolean, act: () => void): BusDevice {
  return {
    read: (_offset, size) => new Uint8Array(size),
    write: (_offset, data) => {
      if (isMeant(data[0] ?? 0)) act();
    },
  };
}
