#include "event-queue.h"

#include <cstdlib>
#include <utility>

namespace halyard {

// libuv keeps it until its close callback; `queue` is null from the queue's end on.
struct KvmEventQueue::Async : uv_async_t {
  LoopHandles* handles = nullptr;
  KvmEventQueue* queue = nullptr;
};

KvmEventQueue::KvmEventQueue(LoopHandles& handles, Deliver deliver, void* context)
    : handles_(handles), deliver_(deliver), context_(context), async_(new Async()) {
  async_->handles = &handles;
  async_->queue = this;
  const int error = uv_async_init(handles.loop(), async_, [](uv_async_t* async) {
    KvmEventQueue* queue = static_cast<Async*>(async)->queue;
    if (queue != nullptr) queue->DeliverAll();
  });
  // It makes an eventfd once for a loop, which Node has done long before.
  if (error != 0) abort();
  handles.Opened();
  KeepLoopAlive(false);
}

KvmEventQueue::~KvmEventQueue() {
  async_->queue = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(async_), [](uv_handle_t* closed) {
    auto* async = static_cast<Async*>(reinterpret_cast<uv_async_t*>(closed));
    LoopHandles* handles = async->handles;
    delete async;
    handles->Closed();
  });
}

void KvmEventQueue::Push(std::vector<KvmEvent> events) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (KvmEvent& event : events) events_.push_back(std::move(event));
  }
  uv_async_send(async_);
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
  if (events_.empty()) return false;
  *event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void KvmEventQueue::DeliverAll() {
  Async* async = async_;
  KvmEvent event;
  // The listener may have ended the session, and the queue with it.
  while (async->queue != nullptr && Pop(&event)) deliver_(context_, std::move(event));
}

}  // namespace halyard
