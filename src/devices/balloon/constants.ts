/** virtio 1.2, 5.5 (memory balloon). */
export const BALLOON_DEVICE_ID = 5;

/** The driver deflates through the queue before it uses a page again. */
export const FEATURE_MUST_TELL_HOST = 0;
/** There is a statistics queue. */
export const FEATURE_STATS_VQ = 1;
/** The guest may take pages back by itself when it runs out of memory. */
export const FEATURE_DEFLATE_ON_OOM = 2;
/** There is a queue for free page hints, and a command id that starts and ends a round of them. */
export const FEATURE_FREE_PAGE_HINT = 3;
/** The driver says what it fills free pages with. */
export const FEATURE_PAGE_POISON = 4;
/** There is a queue on which the driver reports free pages. */
export const FEATURE_PAGE_REPORTING = 5;

export const INFLATE_QUEUE = 0;
export const DEFLATE_QUEUE = 1;
/** The first queue whose number depends on who counts: see `queueFunctions`. */
export const FIRST_OPTIONAL_QUEUE = 2;
/** There is no optional queue before it in any counting. */
export const STATS_QUEUE = FIRST_OPTIONAL_QUEUE;

export const QUEUE_SIZE = 128;

/**
 * Config space (virtio 1.2, 5.5.4), little-endian u32 fields: `num_pages` (the host's wish), `actual` (the driver's
 * answer), `free_page_hint_cmd_id` (the host's), `poison_val` (the driver's).
 */
export const CONFIG_NUM_PAGES = 0;
export const CONFIG_ACTUAL = 4;
export const CONFIG_HINT_COMMAND = 8;
export const CONFIG_POISON_VALUE = 12;

/** Reserved command ids of free page hinting (virtio 1.2, 5.5.6.5): no hints are wanted, and the pages stay hinted. */
export const HINT_STOP = 0;
/** No hints are wanted, and the driver has its hinted pages back. */
export const HINT_DONE = 1;
/** The first of those that start a round. */
export const FIRST_HINT_COMMAND = 2;
export const LAST_HINT_COMMAND = 0xffff_ffff;
