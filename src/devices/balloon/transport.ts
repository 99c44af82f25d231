import type { GuestFaults } from '../virtio/guest-faults.js';
import type { InterruptLine } from '../virtio/interrupt.js';
import { MmioTransport } from '../virtio/mmio-transport.js';
import { BALLOON_DEVICE_ID, CONFIG_ACTUAL, CONFIG_BYTES, QUEUE_SIZE } from './constants.js';
import { type BalloonFeatureOptions, offeredFeatures, queueCount } from './features.js';

/** Registers and config space for a balloon with these options; connect a `BalloonDevice` with the same ones. */
export function balloonTransport(options: {
  readonly interrupt: InterruptLine;
  readonly features?: BalloonFeatureOptions;
  readonly faults?: GuestFaults;
}): MmioTransport {
  const features = offeredFeatures(options.features);
  return new MmioTransport({
    deviceId: BALLOON_DEVICE_ID,
    features,
    queueSizes: Array.from({ length: queueCount(features) }, () => QUEUE_SIZE),
    config: new Uint8Array(CONFIG_BYTES),
    // `num_pages` is the host's: a driver that writes it is ignored.
    driverFields: [{ offset: CONFIG_ACTUAL, size: 4 }],
    interrupt: options.interrupt,
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
}
