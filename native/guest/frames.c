#include "frames.h"

#include "platform.h"

extern char __bss_end[];

// Full period modulo any power of two: multiplier % 4 == 1 and an odd increment.
#define SHUFFLE_MULTIPLIER 1664525u
#define SHUFFLE_INCREMENT 1013904223u

static uint32_t total;
static uint32_t first_frame;

static uint32_t* queue;  // a ring of used frames, capacity queue_mask + 1
static uint32_t queue_mask, queue_head, queue_count;

static uint32_t fresh_count;
static uint32_t fresh_next;  // ascending: the offset of the next frame; shuffled: generator state
static uint32_t* workload_table;
static uint32_t* balloon_table;

uint32_t frames_total(void) { return total; }
uint32_t frames_free(void) { return queue_count + fresh_count; }
uint32_t* frames_workload_table(void) { return workload_table; }
uint32_t* frames_balloon_table(void) { return balloon_table; }

uint32_t frames_init(void) {
  uint64_t ram = params.ram_bytes < GUEST_RAM_LIMIT ? params.ram_bytes : GUEST_RAM_LIMIT;
  uint64_t start = (uint64_t)__bss_end;
  uint64_t pages = ram >> PAGE_SHIFT;
  uint64_t capacity = 1;
  while (capacity < pages) capacity *= 2;
  uint64_t table_words = (pages + PAGE_BYTES / 4 - 1) & ~(uint64_t)(PAGE_BYTES / 4 - 1);
  queue = (uint32_t*)start;
  workload_table = queue + capacity;
  balloon_table = workload_table + table_words;
  uint64_t end = ((uint64_t)(balloon_table + table_words) + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
  if (end >= ram) return 0;
  queue_mask = (uint32_t)capacity - 1;
  first_frame = (uint32_t)(end >> PAGE_SHIFT);
  total = fresh_count = (uint32_t)(pages - first_frame);
  fresh_next = params.flags & GUEST_SHUFFLE ? params.shuffle_seed & queue_mask : 0;
  return total;
}

static uint32_t next_shuffled(uint32_t state) {
  do {
    state = (state * SHUFFLE_MULTIPLIER + SHUFFLE_INCREMENT) & queue_mask;
  } while (state >= total);
  return state;
}

static void take_fresh(uint32_t* to, uint32_t count) {
  fresh_count -= count;
  if (params.flags & GUEST_SHUFFLE) {
    uint32_t state = fresh_next;
    for (uint32_t i = 0; i < count; i++) {
      state = next_shuffled(state);
      to[i] = first_frame + state;
    }
    fresh_next = state;
    return;
  }
  uint32_t frame = first_frame + fresh_next;
  for (uint32_t i = 0; i < count; i++) to[i] = frame++;
  fresh_next += count;
}

static uint32_t until_wrap(uint32_t position, uint32_t count) {
  uint32_t room = queue_mask + 1 - position;
  return count < room ? count : room;
}

static void copy_in(uint32_t position, const uint32_t* from, uint32_t count) {
  uint32_t part = until_wrap(position, count);
  copy_words(queue + position, from, part);
  copy_words(queue, from + part, count - part);
  queue_count += count;
}

void frames_take(uint32_t* to, uint32_t count) {
  uint32_t used = count < queue_count ? count : queue_count;
  uint32_t part = until_wrap(queue_head, used);
  copy_words(to, queue + queue_head, part);
  copy_words(to + part, queue, used - part);
  queue_head = (queue_head + used) & queue_mask;
  queue_count -= used;
  if (count > used) take_fresh(to + used, count - used);
}

void frames_put_front(const uint32_t* from, uint32_t count) {
  queue_head = (queue_head - count) & queue_mask;
  copy_in(queue_head, from, count);
}

void frames_put_back(const uint32_t* from, uint32_t count) {
  copy_in((queue_head + queue_count) & queue_mask, from, count);
}
