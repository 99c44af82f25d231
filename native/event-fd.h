// An eventfd that JavaScript names.
#pragma once

#include "binding/addon.h"
#include "core/handle-table.h"
#include "core/poller.h"
#include "core/unique-fd.h"

namespace halyard {

class EventFd final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kEventFd;

  EventFd(Addon& addon, UniqueFd fd);

  int fd() const { return fd_.get(); }
  Status Watch(bool on) {
    if (on) return poller_.Start(fd_.get());
    poller_.Stop();
    return {};
  }

 private:
  static void OnReady(void* self, int status);

  Addon& addon_;
  UniqueFd fd_;
  // After the descriptor, so that it goes first.
  Poller poller_;
};

}  // namespace halyard
