import type { GuestFaults } from '../virtio/guest-faults.js';
import type { InterruptLine } from '../virtio/interrupt.js';
import { MmioTransport } from '../virtio/mmio-transport.js';
import type { RegisterPage } from '../virtio/register-page.js';
import { BLOCK_DEVICE_ID, QUEUE_SIZE } from './constants.js';
import { configSpace, type DiskShape, offeredFeatures } from './disk-shape.js';

/** Registers and config space for a disk of this shape; connect a `BlockDevice` with the same one. */
export function blockTransport(options: {
  readonly interrupt: InterruptLine;
  readonly shape: DiskShape;
  readonly page?: RegisterPage | undefined;
  readonly faults?: GuestFaults;
}): MmioTransport {
  return new MmioTransport({
    deviceId: BLOCK_DEVICE_ID,
    features: offeredFeatures(options.shape),
    queueSizes: [QUEUE_SIZE],
    config: configSpace(options.shape),
    driverFields: [],
    interrupt: options.interrupt,
    page: options.page,
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
}
