// The guest's page frames. A fresh frame was never used; a frame that was used and given back waits
// in a queue and is handed out before any fresh one. Frames whose content occupies host memory
// are put in front, so that ballooning gives back real memory first.
#ifndef HALYARD_GUEST_FRAMES_H_
#define HALYARD_GUEST_FRAMES_H_

#include <stdint.h>

// Divides RAM; returns the number of frames that can be handed out, 0 if RAM is too small.
uint32_t frames_init(void);
uint32_t frames_free(void);
uint32_t frames_total(void);
// Takes `count` frames, at most frames_free().
void frames_take(uint32_t* to, uint32_t count);
void frames_put_front(const uint32_t* from, uint32_t count);
void frames_put_back(const uint32_t* from, uint32_t count);
// Two tables with room for every frame, outside the frames handed out.
uint32_t* frames_workload_table(void);
uint32_t* frames_balloon_table(void);

#endif  // HALYARD_GUEST_FRAMES_H_
