#include "event-queue.h"

#include <cstdlib>
#include <utility>

namespace halyard {

namespace {

/// How long a posted write may wait: too short to be seen, and long against a driver's requests.
constexpr uint64_t kPostedWaitMs = 20;

/// The newer of two writes is all that is left of them.
bool Replaces(const QueuedWrite& newer, const KvmEvent& queued) {
  const auto* older = std::get_if<QueuedWrite>(&queued);
  return older != nullptr && older->is_posted && older->vm == newer.vm &&
         older->write.address == newer.write.address &&
         older->write.data.size() == newer.write.data.size();
}

}  // namespace

// libuv keeps it until its close callback; `queue` is null from the queue's end on.
struct KvmEventQueue::Async : uv_async_t {
  LoopHandles* handles = nullptr;
  KvmEventQueue* queue = nullptr;
};

struct KvmEventQueue::Timer : uv_timer_t {
  LoopHandles* handles = nullptr;
  KvmEventQueue* queue = nullptr;
};

KvmEventQueue::KvmEventQueue(LoopHandles& handles, Deliver deliver, void* context)
    : handles_(handles),
      deliver_(deliver),
      context_(context),
      async_(new Async()),
      timer_(new Timer()) {
  async_->handles = &handles;
  async_->queue = this;
  const int error = uv_async_init(handles.loop(), async_, [](uv_async_t* async) {
    KvmEventQueue* queue = static_cast<Async*>(async)->queue;
    if (queue != nullptr) queue->Awake();
  });
  // It makes an eventfd once for a loop, which Node has done long before.
  if (error != 0) abort();
  handles.Opened();
  KeepLoopAlive(false);
  timer_->handles = &handles;
  timer_->queue = this;
  uv_timer_init(handles.loop(), timer_);
  handles.Opened();
  uv_unref(reinterpret_cast<uv_handle_t*>(timer_));
}

KvmEventQueue::~KvmEventQueue() {
  async_->queue = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(async_), [](uv_handle_t* closed) {
    auto* async = static_cast<Async*>(reinterpret_cast<uv_async_t*>(closed));
    LoopHandles* handles = async->handles;
    delete async;
    handles->Closed();
  });
  timer_->queue = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(timer_), [](uv_handle_t* closed) {
    auto* timer = static_cast<Timer*>(reinterpret_cast<uv_timer_t*>(closed));
    LoopHandles* handles = timer->handles;
    delete timer;
    handles->Closed();
  });
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
      if (events_.empty() || uv_is_active(reinterpret_cast<uv_handle_t*>(timer_)) != 0) return;
      uv_timer_start(
          timer_,
          [](uv_timer_t* timer) {
            KvmEventQueue* queue = static_cast<Timer*>(timer)->queue;
            if (queue != nullptr) queue->DeliverAll();
          },
          kPostedWaitMs, 0);
      return;
    }
  }
  DeliverAll();
}

void KvmEventQueue::KeepLoopAlive(bool alive) {
  auto* handle = reinterpret_cast<uv_handle_t*>(async_);
  if (alive) {
    uv_ref(handle);
  } else {
    uv_unref(handle);
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
  Async* async = async_;
  KvmEvent event;
  uv_timer_stop(timer_);
  // The listener may have ended the session, and the queue with it.
  while (async->queue != nullptr && Pop(&event)) deliver_(context_, std::move(event));
}

}  // namespace halyard
