// The contract Seccomp: what this kernel offers, the installation of a filter, and the supervision
// of a process that has one.
#include <linux/seccomp.h>

#include <array>
#include <cstring>

#include "attachment.h"
#include "binding/call.h"
#include "core/seccomp-filter.h"
#include "core/seccomp-listener.h"

namespace halyard {

namespace {

/// Refusals delivered before other events of the loop get their turn.
constexpr int kRefusalsPerWake = 16;
constexpr double kMaxErrno = 4095;
/// Instructions of GuardSignals.
constexpr size_t kGuardInstructions = 5;

/// A refused system call that waits for its answer.
class RefusedCall final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kRefusal;

  RefusedCall(uint32_t listener, uint64_t id) : Resource(kKind), listener_(listener), id_(id) {}

  uint32_t listener() const { return listener_; }
  uint64_t id() const { return id_; }

 private:
  uint32_t listener_;
  uint64_t id_;
};

/// The supervisor's end of a filter.
class Listener final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kListener;

  Listener(Addon& addon, UniqueFd fd, Mapping activity)
      : Resource(kKind),
        addon_(addon),
        fd_(std::move(fd)),
        activity_(std::move(activity)),
        poller_(addon.loop_handles(), OnReady, this) {}

  int fd() const { return fd_.get(); }
  Status Listen() { return poller_.Start(fd_.get()); }

 private:
  static void OnReady(void* self, int status);
  void Emit(const RefusedSyscall& refused) const;

  Addon& addon_;
  UniqueFd fd_;
  Mapping activity_;
  Poller poller_;
};

void Listener::OnReady(void* self, int) {
  auto* listener = static_cast<Listener*>(self);
  Addon& addon = listener->addon_;
  const uint32_t handle = listener->handle();
  for (int round = 0; round < kRefusalsPerWake; round++) {
    if (!HasRefused(listener->fd())) {
      // Nobody is left who could be refused anything, and the loop would tell it for ever.
      if (IsDeserted(listener->fd())) listener->poller_.Stop();
      return;
    }
    Result<std::optional<RefusedSyscall>> refused = TakeRefused(listener->fd());
    if (!refused.ok()) return listener->poller_.Stop();
    if (!refused.value().has_value()) continue;
    listener->Emit(*refused.value());
    // The program may have closed the listener.
    if (addon.handles().Find(handle, kKind) == nullptr) return;
  }
}

void Listener::Emit(const RefusedSyscall& refused) const {
  const Napi::Env env(addon_.env());
  const uint32_t listener = handle();
  const uint32_t refusal =
      addon_.handles().Add(std::make_unique<RefusedCall>(listener, refused.id));
  // Only the thread that runs JavaScript makes calls of the HAL.
  const std::string during =
      refused.is_main_thread ? addon_.NameOfActivity(activity_.data()) : std::string();
  addon_.Emit<8>(Event::kSeccompRefused, [&](napi_value* argv) {
    Napi::Array arguments = Napi::Array::New(env, refused.arguments.size());
    for (uint32_t at = 0; at < refused.arguments.size(); at++) {
      arguments.Set(at, Napi::BigInt::New(env, refused.arguments[at]));
    }
    napi_create_uint32(env, listener, &argv[0]);
    napi_create_uint32(env, refusal, &argv[1]);
    napi_create_uint32(env, refused.audit_arch, &argv[2]);
    napi_create_uint32(env, refused.number, &argv[3]);
    argv[4] = arguments;
    argv[5] = Napi::String::New(env, refused.thread);
    argv[6] = Napi::Boolean::New(env, refused.is_main_thread);
    argv[7] = Napi::String::New(env, during);
  });
}

napi_value Probe(Call& call) {
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("filter", KnowsFilterFlags(0));
  result.Set("tsync", KnowsFilterFlags(SECCOMP_FILTER_FLAG_TSYNC));
  result.Set("userNotify", KnowsListeners());
  return result;
}

/// Argument 0, copied: it need not be aligned. Empty after a refusal.
FilterProgram ReadProgram(Call& call, size_t max) {
  std::span<uint8_t> bytes;
  if (!call.Bytes(0, "program", &bytes)) return {};
  const size_t count = bytes.size() / sizeof(sock_filter);
  if (bytes.size() % sizeof(sock_filter) != 0 || count == 0 || count > max) {
    call.Invalid("program must hold 1 to " + std::to_string(max) +
                 " instructions of 8 bytes, got " + std::to_string(bytes.size()) + " bytes");
    return {};
  }
  FilterProgram program(count);
  std::memcpy(program.data(), bytes.data(), bytes.size());
  return program;
}

napi_value Install(Call& call) {
  const FilterProgram program = ReadProgram(call, BPF_MAXINSNS);
  if (program.empty()) return nullptr;
  if (const Status status = InstallFilter(program)) call.Fail(*status);
  return nullptr;
}

FilterProgram ReadGuarded(Call& call, Refusal refusal) {
  const FilterProgram program = ReadProgram(call, BPF_MAXINSNS - kGuardInstructions);
  return program.empty() ? program : GuardSignals(program, refusal);
}

napi_value Confine(Call& call) {
  const FilterProgram program = ReadGuarded(call, Refusal::kKillProcess);
  if (program.empty()) return nullptr;
  if (const Status status = InstallFilter(program)) return call.Fail(*status), nullptr;
  return call.Number(static_cast<double>(program.size()));
}

napi_value ConfineAndNotify(Call& call) {
  const FilterProgram program = ReadGuarded(call, Refusal::kNotify);
  if (program.empty()) return nullptr;
  // All that the supervisor gets is made before: afterwards nothing may be that the policy forbids.
  Result<UniqueFd> page = CreateSealedMemfd("halyard-activity", PageSize());
  if (!page.ok()) return call.Fail(page.failure()), nullptr;
  Result<Mapping> own = Mapping::Shared(page.value().get(), PageSize(), 0);
  if (!own.ok()) return call.Fail(own.failure()), nullptr;
  Result<UniqueFd> listener = InstallFilterWithListener(program);
  if (!listener.ok()) return call.Fail(listener.failure()), nullptr;
  call.addon.ShowActivity(std::move(own.value()));
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("instructions", static_cast<double>(program.size()));
  result.Set("listener", call.Give(std::make_unique<Attachment>(std::move(listener.value()))));
  result.Set("activity", call.Give(std::make_unique<Attachment>(std::move(page.value()))));
  return result;
}

napi_value Supervise(Call& call) {
  auto* listener = call.Open<Attachment>(0);
  if (listener == nullptr) return nullptr;
  auto* activity = call.Open<Attachment>(1);
  if (activity == nullptr) return nullptr;
  if (listener == activity) return call.Invalid("listener and activity are one"), nullptr;
  Result<SharedFile> shared = InspectSharedFile(activity->fd());
  if (!shared.ok()) return call.Fail(shared.failure()), nullptr;
  // Its sender is not trusted: what it could cut off would end this process.
  if (!shared.value().is_sealed || shared.value().size < PageSize()) {
    return call.Invalid("activity must be sealed memory of a page or more"), nullptr;
  }
  Result<Mapping> page = Mapping::Shared(activity->fd(), PageSize(), 0);
  if (!page.ok()) return call.Fail(page.failure()), nullptr;
  auto made = std::make_unique<Listener>(call.addon, listener->TakeFd(), std::move(page.value()));
  call.addon.handles().Take(listener->handle());
  call.addon.handles().Take(activity->handle());
  if (const Status status = made->Listen()) return call.Fail(*status), nullptr;
  return call.Give(std::move(made));
}

napi_value Answer(Call& call) {
  static constexpr std::array<const char*, 2> kVerdicts = {"fail", "pass"};
  size_t verdict = 0;
  uint32_t error = 0;
  auto* refusal = call.Open<RefusedCall>(0);
  if (refusal == nullptr || !call.OneOf(1, "verdict", kVerdicts, &verdict) ||
      !call.Whole(2, "errno", &error, kMaxErrno)) {
    return nullptr;
  }
  if (verdict == 0 && error == 0) {
    return call.Invalid("errno must say how it fails: 1 to 4095"), nullptr;
  }
  const uint64_t id = refusal->id();
  const uint32_t owner = refusal->listener();
  const auto* listener = static_cast<Listener*>(call.addon.handles().Find(owner, Listener::kKind));
  call.addon.handles().Take(refusal->handle());
  if (listener == nullptr) return call.RefuseHandle(owner, Listener::kKind), nullptr;
  const Status status = verdict == 0 ? RefuseWith(listener->fd(), id, static_cast<int>(error))
                                     : LetPass(listener->fd(), id);
  if (status) call.Fail(*status);
  return nullptr;
}

napi_value CloseListener(Call& call) {
  const auto* listener = call.Open<Listener>(0);
  if (listener != nullptr) call.addon.handles().Take(listener->handle());
  return nullptr;
}

}  // namespace

void RegisterSeccomp(Addon& addon, Napi::Object target) {
  Export<Probe, 0>(addon, target, "probe");
  Export<Install, 1>(addon, target, "install");
  Export<Confine, 1>(addon, target, "confine");
  Export<ConfineAndNotify, 1>(addon, target, "confineAndNotify");
  Export<Supervise, 2>(addon, target, "supervise");
  Export<Answer, 3>(addon, target, "answer");
  Export<CloseListener, 1>(addon, target, "closeListener");
}

}  // namespace halyard
