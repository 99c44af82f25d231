#include "balloon.h"

#include "frames.h"
#include "virtio.h"

#define CONFIG_NUM_PAGES (REG_CONFIG + 0)
#define CONFIG_ACTUAL (REG_CONFIG + 4)
#define DEFAULT_TIMEOUT_US 30000000u
#define CONFIG_READ_TRIES 16

enum statistics_tag {
  TAG_MAJFLT = 2,
  TAG_MINFLT = 3,
  TAG_MEMFREE = 4,
  TAG_MEMTOT = 5,
  TAG_AVAIL = 6
};
#define STATISTICS_TAGS 5
struct __attribute__((packed)) statistic {
  uint16_t tag;
  uint64_t value;
};

struct balloon_counters counters;

static uint32_t* table;  // the frames in the balloon, oldest first
static uint32_t frames_held;
static uint32_t target;
static bool out_of_frames;   // said once, until frames are freed or the target moves
static bool follows_target;  // false after a deflation of our own, until the target moves
static struct statistic statistics[STATISTICS_TAGS] __attribute__((aligned(64)));

uint32_t balloon_frames(void) { return frames_held; }

bool balloon_deflates_on_oom(void) { return (negotiated_features & FEATURE_DEFLATE_ON_OOM) != 0; }

void balloon_memory_freed(void) { out_of_frames = false; }

static uint64_t timeout_us(void) {
  return params.wait_timeout_us ? params.wait_timeout_us : DEFAULT_TIMEOUT_US;
}

static void post_statistics(void) {
  uint64_t free_bytes = (uint64_t)frames_free() << PAGE_SHIFT;
  uint64_t all = frames_total();
  if (!balloon_deflates_on_oom()) all -= frames_held;  // as Linux: MemTotal shrinks
  statistics[0] = (struct statistic){TAG_MEMFREE, free_bytes};
  statistics[1] = (struct statistic){TAG_MEMTOT, all << PAGE_SHIFT};
  statistics[2] = (struct statistic){TAG_AVAIL, free_bytes};
  statistics[3] = (struct statistic){TAG_MINFLT, counters.touched};
  statistics[4] = (struct statistic){TAG_MAJFLT, counters.retouched};
  struct virtqueue* queue = &virtqueues[QUEUE_STATS];
  set_descriptor(queue, 0, (uint64_t)statistics, sizeof(statistics), 0, 0);
  virtqueue_submit(queue, 0);
}

bool balloon_start(void) {
  table = frames_balloon_table();
  frames_put_back(table, frames_held);
  frames_held = 0;
  out_of_frames = false;
  follows_target = true;
  if (!virtio_start()) return false;
  if (negotiated_features & FEATURE_STATS_VQ) post_statistics();
  return true;
}

static void restart(void) {
  print_line("micro-guest: device needs reset");
  if (!balloon_start()) guest_exit(GUEST_EXIT_NO_DEVICE);
}

static void take_used(struct virtqueue* queue) {
  uint16_t slot = queue->last_used & (queue->size - 1);
  uint32_t id = queue->memory->used.ring[slot].id;
  uint32_t length = queue->memory->used.ring[slot].length;
  queue->last_used++;
  if (id == 0 && length == 0 && !virtqueue_has_used(queue)) return;
  print("micro-guest: bad used entry queue=");
  print_number(queue->index);
  print(" id=");
  print_number(id);
  print(" length=");
  print_number(length);
  print(" index=");
  print_number(queue->memory->used.index);
  end_line();
  guest_exit(GUEST_EXIT_BAD_USED);
}

// Sends one page-frame list and waits for the answer. False if the device had to be reset.
static bool request(uint16_t index, uint32_t* list, uint32_t frames) {
  struct virtqueue* queue = &virtqueues[index];
  set_descriptor(queue, 0, (uint64_t)list, frames * sizeof(uint32_t), 0, 0);
  virtqueue_submit(queue, 0);
  switch (virtqueue_wait(queue, timeout_us())) {
    case WAIT_DONE: take_used(queue); return true;
    case WAIT_NEEDS_RESET: restart(); return false;
    case WAIT_TIMEOUT: break;
  }
  print_count("micro-guest: no answer on queue", index, "in time");
  guest_exit(GUEST_EXIT_TIMEOUT);
}

static void write_actual(void) { device_write(CONFIG_ACTUAL, frames_held); }

static uint32_t request_size(uint32_t wanted) {
  return wanted < FRAMES_PER_REQUEST ? wanted : FRAMES_PER_REQUEST;
}

bool balloon_inflate(uint32_t frames) {
  frames = request_size(frames);
  if (frames > frames_free()) frames = frames_free();
  if (frames == 0) return false;
  uint32_t* list = table + frames_held;
  frames_take(list, frames);
  frames_held += frames;  // before the request: a reset takes them back with the rest
  if (!request(QUEUE_INFLATE, list, frames)) return false;
  write_actual();
  return true;
}

static void retouch(const uint32_t* list, uint32_t frames) {
  for (uint32_t i = 0; i < frames; i++) {
    volatile uint64_t* page = (volatile uint64_t*)((uint64_t)list[i] << PAGE_SHIFT);
    if (*page != 0) counters.zero_failures++;
    *page = guest_page_pattern(list[i]);
  }
  counters.zero_checks += frames;
  counters.retouched += frames;
}

bool balloon_deflate(uint32_t frames) {
  frames = request_size(frames);
  if (frames > frames_held) frames = frames_held;
  if (frames == 0) return false;
  uint32_t* list = table + frames_held - frames;
  if (!request(QUEUE_DEFLATE, list, frames)) return false;
  frames_held -= frames;
  if (params.flags & GUEST_RETOUCH) {
    retouch(list, frames);
    frames_put_front(list, frames);
  } else {
    frames_put_back(list, frames);
  }
  write_actual();
  return true;
}

bool balloon_deflate_for_oom(void) {
  follows_target = false;
  return balloon_deflates_on_oom() && balloon_deflate(FRAMES_PER_REQUEST);
}

static void read_target(void) {
  uint32_t pages = 0;
  for (int tries = 0; tries < CONFIG_READ_TRIES; tries++) {
    uint32_t generation = device_read(REG_CONFIG_GENERATION);
    pages = device_read(CONFIG_NUM_PAGES);
    if (device_read(REG_CONFIG_GENERATION) == generation) break;
  }
  if (pages != target) out_of_frames = false;
  target = pages;
  follows_target = true;
}

static void report(void) {
  print_count("micro-guest: balloon", frames_held, "pages");
  if (counters.zero_checks == 0) return;
  print("micro-guest: zero-check failures ");
  print_number(counters.zero_failures);
  print_count(" of", counters.zero_checks, "pages");
}

static bool adjust(void) {
  if (!follows_target || frames_held == target) return false;
  bool inflate = frames_held < target;
  if (inflate && frames_free() == 0) {
    if (!out_of_frames) print_count("micro-guest: out of frames at", frames_held, "pages");
    out_of_frames = true;
    return false;
  }
  if (inflate) {
    balloon_inflate(target - frames_held);
  } else {
    balloon_deflate(frames_held - target);
  }
  if (frames_held == target) report();
  return true;
}

static bool serve_config(void) {
  config_changed = false;
  if (device_read(REG_STATUS) & STATUS_NEEDS_RESET) restart();
  read_target();
  return true;
}

bool balloon_service(void) {
  bool worked = false;
  virtio_take_interrupt();
  if (config_changed) worked = serve_config();
  if ((negotiated_features & FEATURE_STATS_VQ) && virtqueue_has_used(&virtqueues[QUEUE_STATS])) {
    take_used(&virtqueues[QUEUE_STATS]);
    post_statistics();
    worked = true;
  }
  return adjust() || worked;
}

void balloon_serve_until(uint64_t deadline, uint64_t idle_us) {
  uint64_t idle_deadline = NEVER;
  if (idle_us != NEVER) idle_deadline = deadline_after_us(idle_us);
  for (;;) {
    uint64_t until = deadline < idle_deadline ? deadline : idle_deadline;
    if (balloon_service()) {
      if (idle_us != NEVER) idle_deadline = deadline_after_us(idle_us);
      if (deadline == NEVER || rdtsc() < deadline) continue;
      return;
    }
    if (until != NEVER && rdtsc() >= until) return;
    wait_for_interrupt(until);
  }
}
