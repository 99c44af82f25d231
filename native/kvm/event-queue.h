// From the vCPU threads to the JavaScript thread: one queue for a session, in order.
#pragma once

#include <uv.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <variant>
#include <vector>

#include "../core/poller.h"
#include "coalesced-ring.h"
#include "exit.h"

namespace halyard {

struct QueuedExit {
  uint32_t vcpu = 0;
  /// Counts the vCPU's runs, so that an exit of an ended one is not taken for the next one's.
  uint32_t run = 0;
  Exit exit;
};

struct QueuedWrite {
  uint32_t vm = 0;
  CoalescedWrite write;
  bool is_posted = false;
};

using KvmEvent = std::variant<QueuedExit, QueuedWrite>;

class KvmEventQueue {
 public:
  /// `deliver` is called on the loop's thread with one event after another. It may destroy the
  /// queue.
  using Deliver = void (*)(void* context, KvmEvent event);

  KvmEventQueue(LoopHandles& handles, Deliver deliver, void* context);
  KvmEventQueue(const KvmEventQueue&) = delete;
  KvmEventQueue& operator=(const KvmEventQueue&) = delete;
  ~KvmEventQueue();

  /// From any thread.
  void Push(std::vector<KvmEvent> events);
  /// Whether another posted event may wait. A guest that writes faster than it is heard has to wait
  /// for its answers, as for any exit.
  bool HasRoomForPosted();
  /// From any thread, for events that may wait a little, so that many of them cost one wake-up. A
  /// write whose turn comes behind an earlier one to the same address takes its place.
  void PushPosted(std::vector<KvmEvent> events);
  /// While a vCPU runs, the loop must not end.
  void KeepLoopAlive(bool alive);

 private:
  template <class Handle>
  struct Kept;

  bool Pop(KvmEvent* event);
  /// The loop was woken: delivers at once, or starts to wait for more.
  void Awake();
  void DeliverAll();

  LoopHandles& handles_;
  Deliver deliver_;
  void* context_;
  Kept<uv_async_t>* async_;
  Kept<uv_timer_t>* timer_;
  std::mutex mutex_;
  std::deque<KvmEvent> events_;
  /// Somebody waits for an answer to one of the events.
  bool is_urgent_ = false;
  /// The loop knows that there are events.
  bool is_told_ = false;
};

}  // namespace halyard
