// A driver that breaks the rules on purpose, one step after the other.
#ifndef HALYARD_GUEST_HOSTILE_H_
#define HALYARD_GUEST_HOSTILE_H_

void hostile_run(void);

#endif  // HALYARD_GUEST_HOSTILE_H_
