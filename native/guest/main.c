// The micro guest: touches memory as a workload does, frees it, and gives it up to the balloon.
#include "balloon.h"
#include "frames.h"
#include "hostile.h"
#include "virtio.h"

// The driver looks for its interrupt at least this often while the workload writes.
#define FRAMES_BETWEEN_CHECKS 64u

void guest_main(const struct guest_boot_params* boot);

static uint64_t pattern_failures;

static bool params_valid(void) {
  return params.magic == GUEST_PARAMS_MAGIC && params.version == GUEST_PARAMS_VERSION &&
         params.size == sizeof(params) && params.tsc_khz != 0 && params.virtio_gsi < 24 &&
         params.virtio_mmio_base >> 32 == 0 && params.queue_size <= QUEUE_LIMIT &&
         (params.queue_size & (params.queue_size - 1)) == 0;
}

static bool make_room(uint32_t frames) {
  while (frames_free() < frames) {
    if (!balloon_deflate_for_oom()) return false;
  }
  return true;
}

static void write_patterns(const uint32_t* list, uint32_t frames) {
  for (uint32_t i = 0; i < frames; i++) {
    *(volatile uint64_t*)((uint64_t)list[i] << PAGE_SHIFT) = guest_page_pattern(list[i]);
  }
  counters.touched += frames;
}

// Touches up to `wanted` frames; returns how many memory allowed.
static uint32_t touch(uint32_t* table, uint32_t wanted) {
  uint32_t chunk = params.touch_chunk_bytes >> PAGE_SHIFT;
  if (chunk == 0) chunk = wanted;
  uint32_t done = 0, in_chunk = 0;
  while (done < wanted) {
    uint32_t frames = wanted - done;
    if (frames > FRAMES_BETWEEN_CHECKS) frames = FRAMES_BETWEEN_CHECKS;
    if (frames > chunk - in_chunk) frames = chunk - in_chunk;
    if (!make_room(frames)) break;
    frames_take(table + done, frames);
    write_patterns(table + done, frames);
    done += frames;
    in_chunk += frames;
    if (in_chunk == chunk && params.touch_interval_us && done < wanted) {
      balloon_serve_until(deadline_after_us(params.touch_interval_us), NEVER);
    } else {
      balloon_service();
    }
    if (in_chunk == chunk) in_chunk = 0;
  }
  return done;
}

static void verify(const uint32_t* table, uint32_t frames) {
  uint32_t failures = 0;
  for (uint32_t i = 0; i < frames; i++) {
    const volatile uint64_t* page = (const volatile uint64_t*)((uint64_t)table[i] << PAGE_SHIFT);
    if (*page != guest_page_pattern(table[i])) failures++;
  }
  pattern_failures += failures;
  print_count("micro-guest: pattern-check failures", failures, "pages");
}

static void run_round(uint32_t wanted) {
  uint32_t* table = frames_workload_table();
  uint32_t done = touch(table, wanted);
  print_count("micro-guest: touched", done, "pages");
  if (done < wanted) print_count("micro-guest: out of memory, missing", wanted - done, "pages");
  if (params.flags & GUEST_VERIFY) verify(table, done);
  if (params.flags & GUEST_KEEP_WORKLOAD) return;
  frames_put_front(table, done);
  balloon_memory_freed();
  print_count("micro-guest: freed", done, "pages");
}

static void run_workload(void) {
  uint64_t wanted = params.touch_bytes >> PAGE_SHIFT;
  if (wanted > frames_total()) wanted = frames_total();
  if (wanted == 0) return;
  uint32_t rounds = params.touch_rounds ? params.touch_rounds : 1;
  if (params.flags & GUEST_KEEP_WORKLOAD) rounds = 1;
  for (uint32_t round = 0; round < rounds; round++) {
    if (round) balloon_serve_until(deadline_after_us(params.round_pause_us), NEVER);
    run_round((uint32_t)wanted);
  }
}

void guest_main(const struct guest_boot_params* boot) {
  params = *boot;
  if (params.magic != GUEST_PARAMS_MAGIC) params.flags = 0;
  if (!params_valid() || frames_init() == 0) {
    print_line("micro-guest: bad boot parameters");
    guest_exit(GUEST_EXIT_BAD_PARAMS);
  }
  platform_init();
  if (!balloon_start()) {
    print_line("micro-guest: no usable balloon device");
    guest_exit(GUEST_EXIT_NO_DEVICE);
  }
  print("micro-guest: ready ram=");
  print_number(params.ram_bytes >> PAGE_SHIFT);
  print(" pages free=");
  print_number(frames_free());
  print(" pages features=");
  print_hex(negotiated_features);
  end_line();
  if (params.hostile_mode) {
    hostile_run();
  } else {
    run_workload();
  }
  balloon_serve_until(NEVER, params.idle_exit_us ? params.idle_exit_us : NEVER);
  print_line("micro-guest: idle, exit");
  guest_exit(counters.zero_failures || pattern_failures ? GUEST_EXIT_BAD_MEMORY : GUEST_EXIT_DONE);
}
