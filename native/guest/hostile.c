#include "hostile.h"

#include "balloon.h"
#include "frames.h"
#include "hostile_steps.h"

#define HOSTILE_TIMEOUT_US 1000000u

struct hostile_state hostile;
uint32_t hostile_list[LIST_WORDS] __attribute__((aligned(4096)));

static volatile uint64_t* page_of(uint32_t frame) {
  return (volatile uint64_t*)((uint64_t)frame << PAGE_SHIFT);
}

static bool wanted(const struct hostile_step* step) {
  return params.hostile_mode < GUEST_HOSTILE_ONLY ||
         params.hostile_mode - GUEST_HOSTILE_ONLY == step->rule;
}

static void announce(const struct hostile_step* step) {
  print("hostile: R");
  print_number(step->rule);
  print(" ");
  print_line(step->name);
}

static uint16_t answers(uint16_t before) {
  if (!hostile.watched) return 0;
  return (uint16_t)(hostile.watched->memory->used.index - before);
}

// Waits for what the step expects. Returns false if it did not come in time.
static bool settle(uint16_t used_before) {
  uint64_t us = params.wait_timeout_us ? params.wait_timeout_us : HOSTILE_TIMEOUT_US;
  uint64_t deadline = deadline_after_us(us);
  for (;;) {
    virtio_take_interrupt();
    if (device_read(REG_STATUS) & STATUS_NEEDS_RESET) return true;
    if (!hostile.wait_for_reset_request && answers(used_before) >= hostile.expected) return true;
    if (rdtsc() >= deadline) return false;
    wait_for_interrupt(deadline);
  }
}

static void report(uint16_t used_before, bool settled) {
  uint16_t count = answers(used_before);
  print("hostile:   answers=");
  if (hostile.watched && count > hostile.watched->size) {
    print("unknown");  // the ring itself went away
  } else {
    print_number(count);
  }
  print(" of ");
  print_number(hostile.expected);
  print(" status=");
  print_hex(device_read(REG_STATUS));
  print(*page_of(hostile.scratch[0]) ? " page=kept" : " page=gone");
  if (!settled) print(" timeout");
  end_line();
}

static void run_step(const struct hostile_step* step) {
  if (!wanted(step)) return;
  announce(step);
  hostile.watched = NULL;
  hostile.expected = 0;
  hostile.wait_for_reset_request = hostile.restart = false;
  *page_of(hostile.scratch[0]) = guest_page_pattern(hostile.scratch[0]);
  uint16_t used_before[QUEUE_COUNT];
  for (int i = 0; i < QUEUE_COUNT; i++) {
    used_before[i] = virtqueues[i].memory ? virtqueues[i].memory->used.index : 0;
  }
  step->run();
  uint16_t before = hostile.watched ? used_before[hostile.watched->index] : 0;
  bool settled = settle(before);
  report(before, settled);
  bool broken = (device_read(REG_STATUS) & STATUS_NEEDS_RESET) || !settled;
  if (!broken && !hostile.restart) return;
  if (balloon_start()) return;
  print_line("hostile: the device cannot be started again");
  guest_exit(GUEST_EXIT_HOSTILE_FAIL);
}

// An ordinary inflation and deflation of frames with content, checked for zeros.
static bool device_works(void) {
  uint32_t* table = frames_workload_table();
  frames_take(table, FRAMES_PER_REQUEST);
  for (uint32_t i = 0; i < FRAMES_PER_REQUEST; i++) {
    *page_of(table[i]) = guest_page_pattern(table[i]);
  }
  frames_put_front(table, FRAMES_PER_REQUEST);
  params.flags |= GUEST_RETOUCH;
  if (!balloon_start()) return false;
  if (!balloon_inflate(FRAMES_PER_REQUEST)) return false;
  if (!balloon_deflate(FRAMES_PER_REQUEST)) return false;
  print_count("micro-guest: zero-check failures", counters.zero_failures, "pages");
  return counters.zero_failures == 0;
}

void hostile_run(void) {
  frames_take(hostile.scratch, SCRATCH_FRAMES);
  for (uint32_t i = 0; i < hostile_chain_step_count; i++) run_step(&hostile_chain_steps[i]);
  for (uint32_t i = 0; i < hostile_register_step_count; i++) run_step(&hostile_register_steps[i]);
  if (!device_works()) {
    print_line("hostile: the device does not work any more");
    guest_exit(GUEST_EXIT_HOSTILE_FAIL);
  }
  print_line("hostile: done");
}
