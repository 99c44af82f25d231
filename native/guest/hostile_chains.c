// Bad descriptor chains, page frame lists and statistics buffers.
#include "hostile_steps.h"

#define DEVICE_HOLE_FRAME 0xd0000u

static uint8_t statistics_page[PAGE_BYTES] __attribute__((aligned(4096)));
static struct descriptor indirect_table[4] __attribute__((aligned(64)));

// The first address above all RAM; what does not fit below the hole lies above 4 GiB.
static uint64_t ram_end(void) {
  if (params.ram_bytes <= GUEST_RAM_LIMIT) return params.ram_bytes;
  return params.ram_bytes - GUEST_RAM_LIMIT + (1ull << 32);
}

static struct virtqueue* watch(uint16_t index, uint16_t expected) {
  hostile.watched = &virtqueues[index];
  hostile.expected = expected;
  return hostile.watched;
}

// One descriptor on a queue; the device should answer it, well or badly made.
static void send(uint16_t index, uint64_t address, uint32_t length, uint16_t flags) {
  struct virtqueue* queue = watch(index, 1);
  set_descriptor(queue, 0, address, length, flags, 0);
  virtqueue_submit(queue, 0);
}

static void list_watched_frame(void) { hostile_list[0] = hostile.scratch[0]; }

static void send_list(uint16_t index, uint32_t bytes, uint16_t flags) {
  send(index, (uint64_t)hostile_list, bytes, flags);
}

// R2: the bad head must not keep the good one behind it from being answered.
static void bad_head(uint16_t index, uint16_t head) {
  struct virtqueue* queue = watch(index, 1);
  list_watched_frame();
  set_descriptor(queue, 0, (uint64_t)hostile_list, 4, 0, 0);
  virtqueue_submit(queue, head);
  virtqueue_submit(queue, 0);
}
static void head_just_beyond(void) { bad_head(QUEUE_INFLATE, virtqueues[QUEUE_INFLATE].size); }
static void head_far_beyond(void) { bad_head(QUEUE_DEFLATE, 0xffff); }

// R3
static void chain_to(uint16_t index, uint16_t next) {
  list_watched_frame();
  struct virtqueue* queue = watch(index, 1);
  set_descriptor(queue, 0, (uint64_t)hostile_list, 4, DESC_NEXT, next);
  set_descriptor(queue, 1, (uint64_t)hostile_list, 4, DESC_NEXT, 0);
  virtqueue_submit(queue, 0);
}
static void next_beyond(void) { chain_to(QUEUE_INFLATE, virtqueues[QUEUE_INFLATE].size); }
static void loop_of_one(void) { chain_to(QUEUE_INFLATE, 0); }
static void loop_of_two(void) { chain_to(QUEUE_DEFLATE, 1); }
static void endless_chain(void) {
  list_watched_frame();
  struct virtqueue* queue = watch(QUEUE_INFLATE, 1);
  for (uint16_t i = 0; i < queue->size; i++) {
    set_descriptor(queue, i, (uint64_t)hostile_list, 4, DESC_NEXT, (i + 1) & (queue->size - 1));
  }
  virtqueue_submit(queue, 0);
}

// R4
static void indirect(uint32_t bytes, uint16_t flags, uint16_t inner_flags) {
  list_watched_frame();
  indirect_table[0] = (struct descriptor){(uint64_t)hostile_list, 4, inner_flags, 0};
  send(QUEUE_INFLATE, (uint64_t)indirect_table, bytes, flags);
}
static void indirect_not_negotiated(void) { indirect(16, DESC_INDIRECT, 0); }
static void indirect_with_next(void) { indirect(16, DESC_INDIRECT | DESC_NEXT, 0); }
static void indirect_odd_length(void) { indirect(17, DESC_INDIRECT, 0); }
static void indirect_nested(void) { indirect(16, DESC_INDIRECT, DESC_INDIRECT); }

// R5
static void address_wraps(void) { send(QUEUE_INFLATE, 0xfffffffffffff000u, 0x2000, 0); }
static void address_at_top(void) { send(QUEUE_DEFLATE, UINT64_MAX, 4, 0); }
static void address_beyond_ram(void) { send(QUEUE_INFLATE, ram_end(), 1024, 0); }
static void address_in_device(void) { send(QUEUE_INFLATE, params.virtio_mmio_base, 1024, 0); }
static void address_straddles_end(void) {
  if (ram_end() > GUEST_RAM_LIMIT) return;
  uint32_t* tail = (uint32_t*)(ram_end() - 512);
  for (int i = 0; i < 128; i++) tail[i] = UINT32_MAX;
  send(QUEUE_INFLATE, ram_end() - 512, 1024, 0);
}
static void length_of_all(void) { send_list(QUEUE_INFLATE, UINT32_MAX, 0); }

// R6
static void length_zero(void) { send_list(QUEUE_INFLATE, 0, 0); }
static void length_zero_nowhere(void) { send(QUEUE_DEFLATE, UINT64_MAX, 0, 0); }
static void readable_after_writable(void) {
  list_watched_frame();
  struct virtqueue* queue = watch(QUEUE_INFLATE, 1);
  set_descriptor(queue, 0, (uint64_t)hostile_list, 4, DESC_WRITE | DESC_NEXT, 1);
  set_descriptor(queue, 1, (uint64_t)hostile_list, 4, 0, 0);
  virtqueue_submit(queue, 0);
}

// R9
static void frames_beyond_ram(void) {
  for (uint32_t i = 0; i < 256; i++) hostile_list[i] = (uint32_t)(ram_end() >> PAGE_SHIFT) + i;
  send_list(QUEUE_INFLATE, 1024, 0);
}
static void frame_of_all_ones(void) {
  hostile_list[0] = UINT32_MAX;
  send_list(QUEUE_INFLATE, 4, 0);
}
static void frames_in_hole(void) {
  for (uint32_t i = 0; i < 256; i++) hostile_list[i] = DEVICE_HOLE_FRAME + i;
  send_list(QUEUE_INFLATE, 1024, 0);
}
static void frames_repeated(void) {
  for (uint32_t i = 0; i < 256; i++) hostile_list[i] = hostile.scratch[i % SCRATCH_FRAMES];
  send_list(QUEUE_INFLATE, 1024, 0);
}
static void good_frame_among_bad(void) {
  hostile_list[0] = UINT32_MAX;
  hostile_list[1] = hostile.scratch[0];
  hostile_list[2] = DEVICE_HOLE_FRAME;
  send_list(QUEUE_INFLATE, 12, 0);
}
static void list_length_five(void) {
  list_watched_frame();
  send_list(QUEUE_INFLATE, 5, 0);
}
static void list_length_three(void) {
  list_watched_frame();
  send_list(QUEUE_INFLATE, 3, 0);
}
static void list_write_only(void) {
  list_watched_frame();
  send_list(QUEUE_INFLATE, 4, DESC_WRITE);
}
static void list_of_1024(void) {
  for (uint32_t i = 0; i < LIST_WORDS; i++) hostile_list[i] = hostile.scratch[i % SCRATCH_FRAMES];
  send_list(QUEUE_INFLATE, sizeof(hostile_list), 0);
}
static void deflate_never_inflated(void) {
  list_watched_frame();
  hostile_list[1] = UINT32_MAX;
  send_list(QUEUE_DEFLATE, 8, 0);
}
static void list_in_two_descriptors(void) {
  hostile_list[0] = hostile.scratch[1];
  hostile_list[1] = hostile.scratch[0];
  struct virtqueue* queue = watch(QUEUE_INFLATE, 1);
  set_descriptor(queue, 0, (uint64_t)hostile_list, 4, DESC_NEXT, 1);
  set_descriptor(queue, 1, (uint64_t)&hostile_list[1], 4, 0, 0);
  virtqueue_submit(queue, 0);
}

// R10: what the device reads becomes zero under it.
static uint32_t frame_of(const volatile void* address) {
  return (uint32_t)((uint64_t)address >> PAGE_SHIFT);
}
static void give_away_ring(uint16_t index) {
  hostile_list[0] = frame_of(virtqueues[index].memory);
  hostile_list[1] = hostile_list[0] + 1;
  send_list(QUEUE_INFLATE, 8, 0);
  hostile.restart = true;
  device_write(REG_QUEUE_NOTIFY, index);
}
static void give_away_own_ring(void) { give_away_ring(QUEUE_INFLATE); }
static void give_away_other_ring(void) { give_away_ring(QUEUE_DEFLATE); }
static void give_away_list(void) {
  hostile_list[0] = frame_of(hostile_list);
  hostile_list[1] = hostile.scratch[0];
  send_list(QUEUE_INFLATE, 8, 0);
}

// R12: one buffer is with the device already, so each of these is one too many.
static void extra_statistics(uint32_t length, uint16_t flags, uint8_t tag_byte) {
  if (!(negotiated_features & FEATURE_STATS_VQ)) {
    print_line("hostile:   skipped, no statistics queue");
    return;
  }
  for (uint32_t i = 0; i < 2570; i++) statistics_page[i] = tag_byte;
  struct virtqueue* queue = watch(QUEUE_STATS, 1);
  set_descriptor(queue, 1, (uint64_t)statistics_page, length, flags, 0);
  virtqueue_submit(queue, 1);
}
static void statistics_second(void) { extra_statistics(50, 0, 0); }
static void statistics_odd(void) { extra_statistics(15, 0, 0); }
static void statistics_unknown_tags(void) { extra_statistics(100, 0, 0x77); }
static void statistics_257_tags(void) { extra_statistics(2570, 0, 0); }
static void statistics_write_only(void) { extra_statistics(50, DESC_WRITE, 0); }
static void statistics_of_all(void) { extra_statistics(UINT32_MAX, 0, 0); }
static void statistics_given_away(void) {
  extra_statistics(50, 0, 0);
  hostile_list[0] = frame_of(statistics_page);
  send_list(QUEUE_INFLATE, 4, 0);
}

const struct hostile_step hostile_chain_steps[] = {
    {2, "head index just beyond the queue, a good chain behind it", head_just_beyond},
    {2, "head index 0xffff on the deflate queue, a good chain behind it", head_far_beyond},
    {3, "next index beyond the queue", next_beyond},
    {3, "descriptor that follows itself", loop_of_one},
    {3, "two descriptors in a loop on the deflate queue", loop_of_two},
    {3, "chain through the whole table without an end", endless_chain},
    {4, "indirect table, not negotiated", indirect_not_negotiated},
    {4, "indirect together with next", indirect_with_next},
    {4, "indirect table of 17 bytes", indirect_odd_length},
    {4, "indirect within indirect", indirect_nested},
    {5, "address and length wrap", address_wraps},
    {5, "address 2^64-1 on the deflate queue", address_at_top},
    {5, "address beyond RAM", address_beyond_ram},
    {5, "address in the device's own registers", address_in_device},
    {5, "buffer across the end of RAM", address_straddles_end},
    {5, "length 2^32-1", length_of_all},
    {6, "length 0", length_zero},
    {6, "length 0 at address 2^64-1", length_zero_nowhere},
    {6, "readable descriptor after a writable one", readable_after_writable},
    {9, "frames beyond RAM", frames_beyond_ram},
    {9, "frame 0xffffffff", frame_of_all_ones},
    {9, "frames in the MMIO hole", frames_in_hole},
    {9, "8 frames, 32 times each", frames_repeated},
    {9, "one good frame between two bad ones", good_frame_among_bad},
    {9, "list of 5 bytes", list_length_five},
    {9, "list of 3 bytes", list_length_three},
    {9, "list in a write-only buffer", list_write_only},
    {9, "1024 frames in one request", list_of_1024},
    {9, "deflate of frames that were never inflated", deflate_never_inflated},
    {9, "list in two descriptors (legal)", list_in_two_descriptors},
    {10, "frames of the inflate ring itself", give_away_own_ring},
    {10, "frames of the deflate ring, then a kick", give_away_other_ring},
    {10, "frame of the list itself", give_away_list},
    {12, "second statistics buffer", statistics_second},
    {12, "statistics of 15 bytes", statistics_odd},
    {12, "statistics with unknown tags only", statistics_unknown_tags},
    {12, "statistics with 257 tags", statistics_257_tags},
    {12, "statistics in a write-only buffer", statistics_write_only},
    {12, "statistics of 2^32-1 bytes", statistics_of_all},
    {10, "frame of a statistics buffer", statistics_given_away},
};
const uint32_t hostile_chain_step_count =
    sizeof(hostile_chain_steps) / sizeof(hostile_chain_steps[0]);
