/** FEATURES_DIFFER: the snapshot is of a device with other options. CORRUPT: no device can have been in this state. */
export type SnapshotErrorCode = 'FEATURES_DIFFER' | 'CORRUPT';

/** A snapshot that cannot be restored. The device is as it was before. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
  readonly code: SnapshotErrorCode;

  constructor(code: SnapshotErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
