// What the runner in hostile.c and the two tables of steps share. Case numbers (R1..R18) are those
// of the README's table.
#ifndef HALYARD_GUEST_HOSTILE_STEPS_H_
#define HALYARD_GUEST_HOSTILE_STEPS_H_

#include <stdbool.h>
#include <stdint.h>

#include "virtio.h"

struct hostile_step {
  uint8_t rule;
  const char* name;
  void (*run)(void);
};

// Steps that send bad chains to a device in order, and steps that misuse its registers.
extern const struct hostile_step hostile_chain_steps[], hostile_register_steps[];
extern const uint32_t hostile_chain_step_count, hostile_register_step_count;

#define SCRATCH_FRAMES 8u
#define LIST_WORDS 1024u

struct hostile_state {
  uint32_t scratch[SCRATCH_FRAMES];  // frames that may be lost; the first one is watched
  struct virtqueue* watched;         // the queue whose answers count, NULL for none
  uint16_t expected;                 // answers to wait for
  bool wait_for_reset_request;       // the step should end in NEEDS_RESET
  bool restart;                      // the device must be set up again after the step
};
extern struct hostile_state hostile;

// One page of page frame numbers; a page of its own because a step gives it away.
extern uint32_t hostile_list[LIST_WORDS];

#define OK_STATUS (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK)

#endif  // HALYARD_GUEST_HOSTILE_STEPS_H_
