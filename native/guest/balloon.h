// The balloon driver: follows num_pages, 256 frames a request, and answers for statistics.
#ifndef HALYARD_GUEST_BALLOON_H_
#define HALYARD_GUEST_BALLOON_H_

#include <stdbool.h>
#include <stdint.h>

#define FRAMES_PER_REQUEST 256u

struct balloon_counters {
  uint64_t zero_checks, zero_failures;
  uint64_t touched;    // first writes to a frame by the workload
  uint64_t retouched;  // writes to a frame that came back from the balloon
};
extern struct balloon_counters counters;

// Starts the device (again); frames in the balloon are taken back. False if it refused.
bool balloon_start(void);
uint32_t balloon_frames(void);
bool balloon_deflates_on_oom(void);

// Serves what is pending, with at most one balloon request. True if there was work.
bool balloon_service(void);
// Serves until the deadline; returns early if nothing happened for idle_us (NEVER: no limit).
void balloon_serve_until(uint64_t deadline, uint64_t idle_us);
// The guest takes frames back on its own, as under DEFLATE_ON_OOM. False if there are none.
bool balloon_deflate_for_oom(void);
// New frames are free: an inflation that had run out of them goes on.
void balloon_memory_freed(void);

// One request of at most FRAMES_PER_REQUEST frames, whatever the target is.
bool balloon_inflate(uint32_t frames);
bool balloon_deflate(uint32_t frames);

#endif  // HALYARD_GUEST_BALLOON_H_
