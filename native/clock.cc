// The contract Clock: monotonic time and timers.
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "binding/call.h"

namespace halyard {

namespace {

constexpr uint64_t kNsPerS = 1'000'000'000;

timespec ToTimespec(uint64_t ns) {
  return {static_cast<time_t>(ns / kNsPerS),
          static_cast<long>(ns % kNsPerS)};  // NOLINT(google-runtime-int)
}

class Timer final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kTimer;

  Timer(Addon& addon, UniqueFd fd)
      : Resource(kKind),
        addon_(addon),
        fd_(std::move(fd)),
        poller_(addon.loop_handles(), OnReady, this) {}

  Status Arm(uint64_t first_ns, uint64_t period_ns) {
    if (const Status status = Set({ToTimespec(period_ns), ToTimespec(first_ns)})) return status;
    is_periodic_ = period_ns != 0;
    return poller_.Start(fd_.get());
  }

  // Setting a timerfd also forgets the expiries that nobody has read.
  Status Disarm() {
    poller_.Stop();
    return Set({});
  }

 private:
  Status Set(const itimerspec& spec) const {
    if (timerfd_settime(fd_.get(), 0, &spec, nullptr) != 0) return LastFailure("timerfd_settime");
    return {};
  }

  static void OnReady(void* self, int) {
    auto& timer = *static_cast<Timer*>(self);
    uint64_t count = 0;
    if (RetryInterrupted([&] { return read(timer.fd_.get(), &count, sizeof(count)); }) !=
        sizeof(count)) {
      return;
    }
    if (!timer.is_periodic_) timer.poller_.Stop();
    const uint32_t handle = timer.handle();
    napi_env env = timer.addon_.env();
    // The listener may close the timer: nothing of it is used after this.
    timer.addon_.Emit<2>(Event::kClockExpired, [&](napi_value* argv) {
      napi_create_uint32(env, handle, &argv[0]);
      napi_create_uint32(env, static_cast<uint32_t>(std::min<uint64_t>(count, kMaxU32)), &argv[1]);
    });
  }

  Addon& addon_;
  UniqueFd fd_;
  Poller poller_;
  bool is_periodic_ = false;
};

napi_value Now(Call& call) {
  timespec now = {};
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
    return call.Fail(LastFailure("clock_gettime")), nullptr;
  }
  return call.Number(static_cast<double>(static_cast<uint64_t>(now.tv_sec) * kNsPerS +
                                         static_cast<uint64_t>(now.tv_nsec)));
}

napi_value CreateTimer(Call& call) {
  std::string name;
  if (!call.Text(0, "name", &name)) return nullptr;
  UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.valid()) return call.Fail(LastFailure("timerfd_create")), nullptr;
  return call.Give(std::make_unique<Timer>(call.addon, std::move(fd)));
}

napi_value Arm(Call& call) {
  auto* timer = call.Open<Timer>(0);
  uint64_t first = 0;
  uint64_t period = 0;
  if (timer == nullptr || !call.U53(1, "first", &first) || !call.U53(2, "period", &period)) {
    return nullptr;
  }
  // The kernel takes 0 for "disarm".
  if (first == 0) return call.Invalid("first must be at least 1 ns; use disarm to stop"), nullptr;
  if (const Status status = timer->Arm(first, period)) call.Fail(*status);
  return nullptr;
}

napi_value Disarm(Call& call) {
  auto* timer = call.Open<Timer>(0);
  if (timer == nullptr) return nullptr;
  if (const Status status = timer->Disarm()) call.Fail(*status);
  return nullptr;
}

napi_value CloseTimer(Call& call) {
  const auto* timer = call.Open<Timer>(0);
  if (timer != nullptr) call.addon.handles().Take(timer->handle());
  return nullptr;
}

}  // namespace

void RegisterClock(Addon& addon, Napi::Object target) {
  Export<Now, 0>(addon, target, "now");
  Export<CreateTimer, 1>(addon, target, "createTimer");
  Export<Arm, 3>(addon, target, "arm");
  Export<Disarm, 1>(addon, target, "disarm");
  Export<CloseTimer, 1>(addon, target, "closeTimer");
}

}  // namespace halyard
