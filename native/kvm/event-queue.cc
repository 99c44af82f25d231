#include "event-queue.h"

#include <cstdlib>
#include <utility>

namespace halyard {

namespace {

/// How long a posted write may wait: too short to be seen, and long against a driver's requests.
constexpr uint64_t kPostedWaitMs = 20;
/// Posted writes wait only while fewer events than these do.
constexpr size_t kMostWaiting = 64;

/// The newer of two writes is all that is left of them.
bool Replaces(const QueuedWrite& newer, const KvmEvent& queued) {
  const auto* older = std::get_if<QueuedWrite>(&queued);
  return older != nullptr && older->is_posted && older->vm == newer.vm &&
         older->write.address == newer.write.address &&
         older->write.data.size() == newer.write.data.size();
}

}  // namespace

// libuv keeps it until its close callback; `queue` is null from the queue's end on.
template <class Handle>
struct KvmEventQueue::Kept : Handle {
  LoopHandles* handles;
  KvmEventQueue* queue;

  Kept(LoopHandles& loop_handles, KvmEventQueue* owner) : handles(&loop_handles), queue(owner) {}

  uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(static_cast<Handle*>(this)); }
  static Kept* Of(Handle* handle) { return static_cast<Kept*>(handle); }

  void Close() {
    queue = nullptr;
    uv_close(base(), [](uv_handle_t* closed) {
      Kept* kept = Of(reinterpret_cast<Handle*>(closed));
      LoopHandles* handles = kept->handles;
      delete kept;
      handles->Closed();
    });
  }
};

KvmEventQueue::KvmEventQueue(LoopHandles& handles, Deliver deliver, void* context)
    : handles_(handles),
      deliver_(deliver),
      context_(context),
      async_(new Kept<uv_async_t>(handles, this)),
      timer_(new Kept<uv_timer_t>(handles, this)) {
  const int error = uv_async_init(handles.loop(), async_, [](uv_async_t* async) {
    KvmEventQueue* queue = Kept<uv_async_t>::Of(async)->queue;
    if (queue != nullptr) queue->Awake();
  });
  // It makes an eventfd once for a loop, which Node has done long before.
  if (error != 0) abort();
  handles.Opened();
  KeepLoopAlive(false);
  uv_timer_init(handles.loop(), timer_);
  handles.Opened();
  uv_unref(timer_->base());
}

KvmEventQueue::~KvmEventQueue() {
  async_->Close();
  timer_->Close();
}

void KvmEventQueue::Push(std::vector<KvmEvent> events) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (KvmEvent& event : events) events_.push_back(std::move(event));
    is_urgent_ = true;
    is_told_ = true;
  }
  uv_async_send(async_);
}

bool KvmEventQueue::HasRoomForPosted() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return events_.size() < kMostWaiting;
}

void KvmEventQueue::PushPosted(std::vector<KvmEvent> events) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (KvmEvent& event : events) {
      const auto* write = std::get_if<QueuedWrite>(&event);
      // The last one only: what lies between two writes must be told between them.
      if (write != nullptr && write->is_posted && !events_.empty() &&
          Replaces(*write, events_.back())) {
        events_.back() = std::move(event);
      } else {
        events_.push_back(std::move(event));
      }
    }
    if (is_told_) return;
    is_told_ = true;
  }
  uv_async_send(async_);
}

void KvmEventQueue::Awake() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_urgent_) {
      if (events_.empty() || uv_is_active(timer_->base()) != 0) return;
      uv_timer_start(
          timer_,
          [](uv_timer_t* timer) {
            KvmEventQueue* queue = Kept<uv_timer_t>::Of(timer)->queue;
            if (queue != nullptr) queue->DeliverAll();
          },
          kPostedWaitMs, 0);
      return;
    }
  }
  DeliverAll();
}

void KvmEventQueue::KeepLoopAlive(bool alive) {
  if (alive) {
    uv_ref(async_->base());
  } else {
    uv_unref(async_->base());
  }
}

bool KvmEventQueue::Pop(KvmEvent* event) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (events_.empty()) {
    is_urgent_ = false;
    is_told_ = false;
    return false;
  }
  *event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void KvmEventQueue::DeliverAll() {
  Kept<uv_async_t>* async = async_;
  KvmEvent event;
  uv_timer_stop(timer_);
  // The listener may have ended the session, and the queue with it.
  while (async->queue != nullptr && Pop(&event)) deliver_(context_, std::move(event));
}

}  // namespace halyard
