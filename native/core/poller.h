// Readiness of a file descriptor, told by the event loop (uv_poll).
#pragma once

#include <uv.h>

#include <cstddef>

#include "result.h"

namespace halyard {

/// The event loop of one JavaScript environment and how many of its handles are ours.
class LoopHandles {
 public:
  explicit LoopHandles(uv_loop_t* loop) : loop_(loop) {}

  uv_loop_t* loop() const { return loop_; }
  void Opened() { ++open_; }
  void Closed() {
    if (--open_ == 0 && drained_ != nullptr) drained_(context_);
  }
  bool empty() const { return open_ == 0; }

  /// Calls back when the last handle is closed; not if there is none.
  void OnDrained(void (*drained)(void*), void* context) {
    drained_ = drained;
    context_ = context;
  }

 private:
  uv_loop_t* loop_;
  size_t open_ = 0;
  void (*drained_)(void*) = nullptr;
  void* context_ = nullptr;
};

/// Watches one descriptor, which must outlive it. All on the loop's thread.
class Poller {
 public:
  using Callback = void (*)(void* context, int status);

  Poller(LoopHandles& handles, Callback callback, void* context);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();

  /// Starts, or goes on; a descriptor that cannot be polled (a plain file) fails.
  Status Start(int fd);
  void Stop();
  bool active() const { return active_; }

 private:
  LoopHandles& handles_;
  Callback callback_;
  void* context_;
  uv_poll_t* handle_ = nullptr;
  bool active_ = false;
};

}  // namespace halyard
