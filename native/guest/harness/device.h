// A small virtio-mmio balloon that serves everything within the register access. It is the oracle
// for the guest, so it shares no code with Halyard's own device.
#ifndef HALYARD_HARNESS_DEVICE_H_
#define HALYARD_HARNESS_DEVICE_H_

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_QUEUES 3

struct device_queue {
  uint32_t size, ready, address[6];
  uint16_t next_available;
};

struct device {
  uint8_t* ram;
  uint64_t ram_bytes;
  void (*pulse_interrupt)(void);
  bool no_discard;    // acknowledge inflations without doing them
  bool silent;        // answer nothing
  uint64_t break_at;  // ask for a reset instead of serving this notification; 0: never

  uint32_t status, interrupt_status, generation, num_pages, actual, queue_select;
  uint32_t device_features_select, driver_features_select;
  uint64_t driver_features;
  struct device_queue queues[DEVICE_QUEUES];
  bool statistics_held;
  uint16_t statistics_head;
  uint64_t free_bytes;  // from the last statistics

  uint64_t notifies, frames, bad_frames, duplicate_frames, bad_chains, bad_heads, discards;
  uint64_t statistics, resets, reset_requests, ignored_writes;
};

extern struct device device;

uint32_t device_read(uint32_t offset);
void device_write(uint32_t offset, uint32_t length, uint32_t value);
// What a write to QueueNotify does; also for notifications that arrive by an eventfd.
void device_notify(uint32_t queue);
void device_set_target(uint32_t pages);
// Gives the held statistics buffer back, which asks for a new sample.
void device_ask_for_statistics(void);

#endif  // HALYARD_HARNESS_DEVICE_H_
