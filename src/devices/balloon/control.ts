import type { Bytes } from '../../hal/contract/units.js';
import type { BalloonDevice } from './balloon-device.js';

/** What came over the control socket. Counts of messages. */
export interface ControlCounters {
  applied: number;
  /** Not 8 bytes long. */
  malformed: number;
  /** More than the guest can give. */
  refused: number;
}

const MESSAGE_BYTES = 8;
/** Above this, a u64 is no exact number here, and no amount of RAM either. */
const MAX_HIGH_WORD = 0x1f_ffff;

/**
 * The balloon's control protocol, as in crosvm's change 448516e3f9: a message is the absolute number of bytes that the
 * balloon should hold, u64 little-endian; a message of another length is ignored.
 */
export class BalloonControl {
  readonly counters: ControlCounters = { applied: 0, malformed: 0, refused: 0 };
  readonly #device: Pick<BalloonDevice, 'setTargetBytes'>;

  constructor(device: Pick<BalloonDevice, 'setTargetBytes'>) {
    this.#device = device;
  }

  /** Takes one message. */
  handle(message: Uint8Array): 'applied' | 'malformed' | 'refused' {
    const outcome = this.#apply(message);
    this.counters[outcome]++;
    return outcome;
  }

  #apply(message: Uint8Array): 'applied' | 'malformed' | 'refused' {
    if (message.length !== MESSAGE_BYTES) return 'malformed';
    const bytes = decodeTarget(message);
    if (bytes === undefined) return 'refused';
    return this.#device.setTargetBytes(bytes) === 'set' ? 'applied' : 'refused';
  }
}

/** The message that asks for this many bytes. */
export function encodeTarget(bytes: Bytes): Uint8Array {
  const message = new Uint8Array(MESSAGE_BYTES);
  const view = new DataView(message.buffer);
  view.setUint32(0, bytes % 2 ** 32, true);
  view.setUint32(4, Math.floor(bytes / 2 ** 32), true);
  return message;
}

function decodeTarget(message: Uint8Array): Bytes | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const high = view.getUint32(4, true);
  return high > MAX_HIGH_WORD ? undefined : high * 2 ** 32 + view.getUint32(0, true);
}
