// Channels that this process was started with.
#pragma once

#include <cstdint>

#include "unique-fd.h"

namespace halyard {

/// The first descriptor that a child is given, after its standard streams: slot 0.
constexpr int kFirstInheritedFd = 3;
constexpr uint32_t kMaxInheritedSlots = 64;

/// Looks, once for the process and before the addon opens anything, which descriptors are SEQPACKET
/// sockets. Later the same numbers may be anyone's.
void NoteInheritedChannels();

/// Takes the one of that slot, closed on exec from now on; invalid if there was none, or it was
/// taken before.
UniqueFd TakeInheritedChannel(uint32_t slot);

}  // namespace halyard
