import type { GuestFaults } from '../virtio/guest-faults.js';
import type { InterruptLine } from '../virtio/interrupt.js';
import { MmioTransport } from '../virtio/mmio-transport.js';
import type { RegisterPage } from '../virtio/register-page.js';
import { BALLOON_DEVICE_ID, CONFIG_NUM_PAGES, QUEUE_SIZE } from './constants.js';
import {
  type BalloonFeatureOptions,
  configBytes,
  deviceFields,
  driverFields,
  offeredFeatures,
} from './features.js';
import { queueCount } from './queue-functions.js';

/** Registers and config space for a balloon with these options; connect a `BalloonDevice` with the same ones. */
export function balloonTransport(options: {
  readonly interrupt: InterruptLine;
  readonly features?: BalloonFeatureOptions;
  readonly page?: RegisterPage | undefined;
  readonly faults?: GuestFaults;
}): MmioTransport {
  const features = offeredFeatures(options.features);
  const written = driverFields(features);
  // The next driver must not take the hint command for its own; the target is kept for it.
  const command = deviceFields(features).filter(({ offset }) => offset !== CONFIG_NUM_PAGES);
  return new MmioTransport({
    deviceId: BALLOON_DEVICE_ID,
    features,
    queueSizes: Array.from({ length: queueCount(features) }, () => QUEUE_SIZE),
    config: new Uint8Array(configBytes(features)),
    // `num_pages` is the host's: a driver that writes it is ignored.
    driverFields: written,
    resetFields: [...written, ...command],
    interrupt: options.interrupt,
    page: options.page,
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
}
