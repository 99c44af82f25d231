import type { ConfigField } from '../devices/virtio/config-space.js';
import { INTERRUPT_USED_BUFFER } from '../devices/virtio/interrupt.js';
import { MMIO, MMIO_CONFIG_OFFSET } from '../devices/virtio/mmio-registers.js';
import type { HalOf } from '../hal/contract/define.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { EventFd } from '../hal/event-fd.js';
import type { Kvm } from '../hal/kvm.js';
import type { Bus, BusDevice } from './bus.js';
import { type MmioSlot, VIRTIO_MMIO_SLOT_BYTES } from './layout.js';

/** A device behind registers, such as a virtio-mmio transport. */
export type MmioDevice = BusDevice;

/** The wires of a device: what its driver does to it, and what it does to its driver. */
export interface MmioWiring {
  readonly address: GuestAddress;
  readonly gsi: number;
  /** Signalled by the guest's write of the queue's index to QueueNotify, without an exit. */
  readonly kicks: readonly { readonly queue: number; readonly eventfd: number }[];
  /** Signalling it raises the device's interrupt. */
  readonly call: number;
}

/**
 * Whether a driver waits for an answer to what it writes once for each request, or its vCPU goes on: `posted` writes, as on
 * PCI.
 *
 * - The acknowledgement of used buffers alone goes to an eventfd that nobody listens to. The bit then stays set in
 *   InterruptStatus until an acknowledgement of more or a reset: it never says less than is true, and a driver that is
 *   interrupted for its configuration looks into its queues once more than it has to.
 * - What a driver reports in the config space (`reports`) is told a little later, the last value only. A driver that reads
 *   its own report back may find the one before.
 */
export type DriverWrites = 'exit' | 'posted';
export const DRIVER_WRITES: readonly DriverWrites[] = ['exit', 'posted'];

export interface MmioAttachment {
  /** Position in the window of devices, from 0. */
  readonly slot: number;
  /** Instead of the slot's own interrupt. */
  readonly gsi?: number;
  /** Queues whose kicks shall come by eventfd. Others come as writes to `device`. */
  readonly notify: readonly { readonly queue: number }[];
  /** Default: exits. */
  readonly driverWrites?: DriverWrites;
  /** Fields of the config space by which its driver reports, and which nobody has to answer. */
  readonly reports?: readonly ConfigField[];
  /** Asked once the device is made: a region whose first page the guest finds at the slot, and reads without an exit. */
  readonly page?: () => number | undefined;
  /** The device, or how to make it once its wires exist. */
  readonly device: MmioDevice | ((wiring: MmioWiring) => MmioDevice);
}

/** RAM has the memory slots below. */
const FIRST_PAGE_MEMORY_SLOT = 16;

export interface SlotContext {
  /** Where the slots are. @throws RangeError */
  readonly virtioSlot: (slot: number) => MmioSlot;
  readonly kvm: HalOf<typeof Kvm>;
  readonly eventFd: HalOf<typeof EventFd>;
  readonly vm: number;
  readonly bus: Bus;
  /** Notes what must be closed with the machine. */
  readonly own: (close: () => void) => void;
}

/**
 * Puts a device into its slot: registers on the bus, an irqfd (edge triggered), and an ioeventfd for each queue: 4 bytes
 * at QueueNotify with the queue's index (virtio 1.2, 4.2.2). Another takes acknowledgements, where they are no exits.
 *
 * @throws RangeError if the slot does not exist or is taken.
 */
export function attachToSlot(context: SlotContext, attachment: MmioAttachment): MmioWiring {
  const { kvm, vm, bus } = context;
  const { slot, notify, device } = attachment;
  const place = context.virtioSlot(slot);
  const { address } = place;
  const gsi = attachment.gsi ?? place.gsi;
  const kicks = notify.map(({ queue }) => ({
    queue,
    eventfd: ownedEventfd(context, `kick-${slot}-${queue}`),
  }));
  const call = ownedEventfd(context, `call-${slot}`);
  const wiring: MmioWiring = { address, gsi, kicks, call };
  const made = typeof device === 'function' ? device(wiring) : device;
  bus.add({ space: 'mmio', address, size: VIRTIO_MMIO_SLOT_BYTES, device: made });
  const region = attachment.page?.();
  if (region !== undefined) {
    const memory = { slot: FIRST_PAGE_MEMORY_SLOT + slot, region, offset: 0, readOnly: true };
    kvm.setMemory({ vm, address, size: VIRTIO_MMIO_SLOT_BYTES, ...memory });
  }
  kvm.irqfd({ vm, eventfd: call, gsi, on: true });
  const signalOn = (register: number, match: number, eventfd: number): void => {
    const write = {
      address: address + register,
      space: 'mmio',
      length: 4,
      hasMatch: true,
    } as const;
    kvm.ioeventfd({ vm, eventfd, ...write, match, on: true });
  };
  for (const { queue, eventfd } of kicks) signalOn(MMIO.queueNotify, queue, eventfd);
  if (attachment.driverWrites === 'posted') {
    signalOn(MMIO.interruptAck, INTERRUPT_USED_BUFFER, ownedEventfd(context, `ack-${slot}`));
    for (const { offset, size } of attachment.reports ?? []) {
      kvm.post({ vm, address: address + MMIO_CONFIG_OFFSET + offset, size, on: true });
    }
  }
  return wiring;
}

function ownedEventfd({ eventFd, own }: SlotContext, name: string): number {
  const eventfd = eventFd.create({ name });
  own(() => eventFd.close({ eventfd }));
  return eventfd;
}
