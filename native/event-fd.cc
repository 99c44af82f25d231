// The contract EventFd: doorbells.
#include "event-fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "attachment.h"
#include "binding/call.h"

namespace halyard {

EventFd::EventFd(Addon& addon, UniqueFd fd)
    : Resource(kKind),
      addon_(addon),
      fd_(std::move(fd)),
      poller_(addon.loop_handles(), OnReady, this) {}

void EventFd::OnReady(void* self, int) {
  auto& eventfd = *static_cast<EventFd*>(self);
  uint64_t count = 0;
  // Another process may have taken the count first: then there is nothing to tell.
  if (RetryInterrupted([&] { return read(eventfd.fd(), &count, sizeof(count)); }) !=
      sizeof(count)) {
    return;
  }
  const uint32_t handle = eventfd.handle();
  napi_env env = eventfd.addon_.env();
  // The listener may close the eventfd: nothing of it is used after this.
  eventfd.addon_.Emit<2>(Event::kEventFdSignalled, [&](napi_value* argv) {
    napi_create_uint32(env, handle, &argv[0]);
    napi_create_uint32(env, static_cast<uint32_t>(std::min<uint64_t>(count, kMaxU32)), &argv[1]);
  });
}

namespace {

napi_value Create(Call& call) {
  std::string name;
  if (!call.Text(0, "name", &name)) return nullptr;
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return call.Fail(LastFailure("eventfd2")), nullptr;
  return call.Give(std::make_unique<EventFd>(call.addon, std::move(fd)));
}

napi_value Adopt(Call& call) {
  auto* attachment = call.Open<Attachment>(0);
  if (attachment == nullptr) return nullptr;
  UniqueFd fd = attachment->TakeFd();
  call.addon.handles().Take(attachment->handle());
  return call.Give(std::make_unique<EventFd>(call.addon, std::move(fd)));
}

napi_value Signal(Call& call) {
  const auto* eventfd = call.Open<EventFd>(0);
  if (eventfd == nullptr) return nullptr;
  const uint64_t one = 1;
  if (RetryInterrupted([&] { return write(eventfd->fd(), &one, sizeof(one)); }) < 0) {
    call.Fail(LastFailure("write"));
  }
  return nullptr;
}

napi_value Watch(Call& call) {
  auto* eventfd = call.Open<EventFd>(0);
  bool on = false;
  if (eventfd == nullptr || !call.Bool(1, "on", &on)) return nullptr;
  if (const Status status = eventfd->Watch(on)) call.Fail(*status);
  return nullptr;
}

napi_value Close(Call& call) {
  const auto* eventfd = call.Open<EventFd>(0);
  if (eventfd != nullptr) call.addon.handles().Take(eventfd->handle());
  return nullptr;
}

}  // namespace

void RegisterEventFd(Addon& addon, Napi::Object target) {
  Export<Create, 1>(addon, target, "create");
  Export<Adopt, 1>(addon, target, "adopt");
  Export<Signal, 1>(addon, target, "signal");
  Export<Watch, 2>(addon, target, "watch");
  Export<Close, 1>(addon, target, "close");
}

}  // namespace halyard
