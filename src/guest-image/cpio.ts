/** One entry of an initramfs. `path` is relative, without a leading slash; folders come before what is in them. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly content: Uint8Array | string;
      readonly executable?: boolean;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const MODES = { folder: 0o040755, file: 0o100644, link: 0o120777 } as const;
const EXECUTABLE = 0o111;
const TRAILER = 'TRAILER!!!';

const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
const padding = (length: number) => Buffer.alloc(-length & 3);

function record(inode: number, mode: number, path: string, content: Buffer): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // Magic, then 13 fields: inode, mode, user, group, links, time, size, four device numbers, length of the name, checksum.
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.concat([Buffer.from(`070701${fields.map(hex).join('')}`), name]);
  return [head, padding(head.length), content, padding(content.length)];
}

/**
 * An uncompressed cpio archive in the "newc" format, as the kernel unpacks it (Documentation/driver-api/early-userspace/
 * buffer-format.rst). The same entries give the same bytes. Archives may be put behind one another: a later file
 * replaces an earlier one of the same name.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => {
    const mode = MODES[entry.kind] | (entry.kind === 'file' && entry.executable ? EXECUTABLE : 0);
    return record(index + 1, mode, entry.path, contentOf(entry));
  });
  return Buffer.concat([...parts, ...record(0, 0, TRAILER, Buffer.alloc(0))]);
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.kind === 'folder') return Buffer.alloc(0);
  if (entry.kind === 'link') return Buffer.from(entry.target);
  return Buffer.from(entry.content);
}
