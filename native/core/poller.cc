#include "poller.h"

namespace halyard {

namespace {

// libuv keeps the handle until its close callback has run, so it has a life of its own.
struct PollHandle : uv_poll_t {
  LoopHandles* handles = nullptr;
};

Failure UvFailure(int error, const char* operation) { return {-error, operation}; }

}  // namespace

Poller::Poller(LoopHandles& handles, Callback callback, void* context)
    : handles_(handles), callback_(callback), context_(context) {}

Poller::~Poller() {
  if (handle_ == nullptr) return;
  Stop();
  handle_->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(handle_), [](uv_handle_t* closed) {
    auto* handle = reinterpret_cast<PollHandle*>(closed);
    LoopHandles* handles = handle->handles;
    delete handle;
    handles->Closed();
  });
}

Status Poller::Start(int fd) {
  if (active_) return {};
  if (handle_ == nullptr) {
    auto* handle = new PollHandle();
    const int error = uv_poll_init(handles_.loop(), handle, fd);
    if (error != 0) {
      delete handle;
      return UvFailure(error, "epoll_ctl");
    }
    handle->handles = &handles_;
    handle->data = this;
    handles_.Opened();
    handle_ = handle;
  }
  const int error = uv_poll_start(handle_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
    auto* self = static_cast<Poller*>(handle->data);
    if (self == nullptr || !self->active_) return;
    // On POLLERR libuv has stopped the handle: whoever wants more starts it again.
    if (status != 0) self->active_ = false;
    self->callback_(self->context_, status);
  });
  if (error != 0) return UvFailure(error, "epoll_ctl");
  active_ = true;
  return {};
}

void Poller::Stop() {
  if (!active_) return;
  active_ = false;
  uv_poll_stop(handle_);
}

}  // namespace halyard
