/** virtio 1.2, 5.5 (memory balloon). */
export const BALLOON_DEVICE_ID = 5;

/** The driver deflates through the queue before it uses a page again. */
export const FEATURE_MUST_TELL_HOST = 0;
/** There is a statistics queue. */
export const FEATURE_STATS_VQ = 1;
/** The guest may take pages back by itself when it runs out of memory. */
export const FEATURE_DEFLATE_ON_OOM = 2;

export const INFLATE_QUEUE = 0;
export const DEFLATE_QUEUE = 1;
/**
 * Optional queues are numbered by what the device offers. Linux over virtio-mmio numbers them by what was negotiated, so
 * a queue behind an optional one that the driver refused would get another number on each side. The statistics queue is
 * the only optional one here, so both countings give 2. Whoever adds another must keep that trap in mind.
 */
export const STATS_QUEUE = 2;

export const QUEUE_SIZE = 128;

/** Config space: u32 `num_pages` (the host's wish), u32 `actual` (the driver's answer), little-endian. */
export const CONFIG_NUM_PAGES = 0;
export const CONFIG_ACTUAL = 4;
export const CONFIG_BYTES = 8;
