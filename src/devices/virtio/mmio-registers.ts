/** virtio-mmio version 2 (virtio 1.2, 4.2.2). Offsets in bytes; all control registers are 32 bits wide. */
export const MMIO_REGION_BYTES = 0x200;
export const MMIO_CONFIG_OFFSET = 0x100;

export const MMIO = {
  magicValue: 0x00,
  version: 0x04,
  deviceId: 0x08,
  vendorId: 0x0c,
  deviceFeatures: 0x10,
  deviceFeaturesSel: 0x14,
  driverFeatures: 0x20,
  driverFeaturesSel: 0x24,
  queueSel: 0x30,
  queueNumMax: 0x34,
  queueNum: 0x38,
  queueReady: 0x44,
  queueNotify: 0x50,
  interruptStatus: 0x60,
  interruptAck: 0x64,
  status: 0x70,
  queueDescLow: 0x80,
  queueDescHigh: 0x84,
  queueDriverLow: 0x90,
  queueDriverHigh: 0x94,
  queueDeviceLow: 0xa0,
  queueDeviceHigh: 0xa4,
  shmSel: 0xac,
  shmLenLow: 0xb0,
  shmLenHigh: 0xb4,
  shmBaseLow: 0xb8,
  shmBaseHigh: 0xbc,
  configGeneration: 0xfc,
} as const;

export const MMIO_MAGIC = 0x74726976;
export const MMIO_VERSION = 2;

/** Device status bits (virtio 1.2, 2.1). */
export const STATUS_ACKNOWLEDGE = 1;
export const STATUS_DRIVER = 2;
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 0x40;
export const STATUS_FAILED = 0x80;
