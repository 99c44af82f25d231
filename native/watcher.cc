// Readiness of a device file, for MemPressure: one callback, then silence until it is armed again.
#include <fcntl.h>

#include "binding/call.h"
#include "core/unique-fd.h"

namespace halyard {

namespace {

class Watcher final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kWatcher;

  Watcher(Addon& addon, UniqueFd fd)
      : Resource(kKind),
        addon_(addon),
        fd_(std::move(fd)),
        poller_(addon.loop_handles(), OnReady, this) {}

  Status Arm() { return poller_.Start(fd_.get()); }
  void Disarm() { poller_.Stop(); }

 private:
  static void OnReady(void* self, int) {
    auto& watcher = *static_cast<Watcher*>(self);
    watcher.poller_.Stop();
    const uint32_t handle = watcher.handle();
    Addon& addon = watcher.addon_;
    addon.Emit<1>(Event::kWatcherReadable,
                  [&](napi_value* argv) { napi_create_uint32(addon.env(), handle, &argv[0]); });
  }

  Addon& addon_;
  UniqueFd fd_;
  Poller poller_;
};

napi_value OpenPath(Call& call) {
  std::string path;
  if (!call.Text(0, "path", &path)) return nullptr;
  UniqueFd fd(
      RetryInterrupted([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!fd.valid()) return call.Fail(LastFailure("openat")), nullptr;
  return call.Give(std::make_unique<Watcher>(call.addon, std::move(fd)));
}

napi_value Arm(Call& call) {
  auto* watcher = call.Open<Watcher>(0);
  if (watcher == nullptr) return nullptr;
  if (const Status status = watcher->Arm()) call.Fail(*status);
  return nullptr;
}

napi_value Disarm(Call& call) {
  auto* watcher = call.Open<Watcher>(0);
  if (watcher != nullptr) watcher->Disarm();
  return nullptr;
}

napi_value Close(Call& call) {
  const auto* watcher = call.Open<Watcher>(0);
  if (watcher != nullptr) call.addon.handles().Take(watcher->handle());
  return nullptr;
}

}  // namespace

void RegisterWatcher(Addon& addon, Napi::Object target) {
  Export<OpenPath, 1>(addon, target, "open");
  Export<Arm, 1>(addon, target, "arm");
  Export<Disarm, 1>(addon, target, "disarm");
  Export<Close, 1>(addon, target, "close");
}

}  // namespace halyard
