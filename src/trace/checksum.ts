import { ByteBuilder } from './byte-builder.js';
import { crc32 } from './crc32.js';
import { METADATA_CRC_KEY } from './mcap-records.js';

/**
 * Checksum of a metadata record, as eight hexadecimal digits: name and entries (without the
 * checksum's own), keys sorted, so that a tool which rewrites the map in another order keeps it.
 */
export function metadataChecksum(name: string, entries: ReadonlyMap<string, string>): string {
  const sorted = [...entries].filter(([key]) => key !== METADATA_CRC_KEY);
  sorted.sort(([a], [b]) => (a < b ? -1 : 1));
  const builder = new ByteBuilder();
  builder.string(name);
  builder.stringMap(sorted);
  return crc32(builder.bytes).toString(16).padStart(8, '0');
}
