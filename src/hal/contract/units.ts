/**
 * Numbers that carry their unit in the type. A plain number may be used for any of them, but one unit cannot be passed
 * for another: `Bytes` is no `Nanoseconds`.
 */
export type Unit<U extends string> = number & { readonly unit?: U };

export type Bytes = Unit<'bytes'>;
export type MiB = Unit<'MiB'>;
/** A guest-physical address. */
export type GuestAddress = Unit<'guest address'>;
export type Nanoseconds = Unit<'ns'>;
/** A page frame number: always of 4096 bytes (virtio 1.2, 5.5.6). */
export type PageFrame = Unit<'page frame'>;

export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;
export const BYTES_PER_MIB = 1_048_576;
export const BALLOON_PAGE_BYTES = 4096;
