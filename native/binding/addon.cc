#include "addon.h"

#include <cstring>

namespace halyard {

namespace {

constexpr std::array<const char*, static_cast<size_t>(Event::kCount)> kEventNames = {
    "event-fd.signalled", "clock.expired", "channel.message",  "channel.closed",
    "kvm.exit",           "kvm.coalesced", "watcher.readable", "seccomp.refused"};

std::string Describe(const Failure& failure) {
  const char* text = strerrordesc_np(failure.error);
  const char* name = strerrorname_np(failure.error);
  return std::string(failure.operation) + " failed: " + (text ? text : "unknown error") + " (" +
         (name ? name : std::to_string(failure.error)) + ")";
}

}  // namespace

Addon::Addon(napi_env env, uv_loop_t* loop, std::shared_ptr<Environment> environment)
    : env_(env), loop_handles_(loop), environment_(std::move(environment)) {
  napi_add_async_cleanup_hook(env, OnCleanup, this, &hook_);
}

Addon::~Addon() = default;

void Addon::Close() {
  handles_.Clear();
  kvm_state_.reset();
  for (napi_ref& listener : listeners_) {
    if (listener != nullptr) napi_delete_reference(env_, listener);
    listener = nullptr;
  }
}

// libuv frees its handles only in their close callbacks, so the hook is given back after the last
// of them.
void Addon::OnCleanup(napi_async_cleanup_hook_handle hook, void* self) {
  auto* addon = static_cast<Addon*>(self);
  addon->hook_ = hook;
  addon->Close();
  const auto finish = [](void* context) {
    auto* ended = static_cast<Addon*>(context);
    napi_async_cleanup_hook_handle ended_hook = ended->hook_;
    delete ended;
    napi_remove_async_cleanup_hook(ended_hook);
  };
  if (addon->loop_handles_.empty()) {
    finish(addon);
  } else {
    addon->loop_handles_.OnDrained(finish, addon);
  }
}

std::string Addon::NameOfActivity(const uint8_t* page) const {
  uint32_t number = 0;
  __atomic_load(reinterpret_cast<const uint32_t*>(page), &number, __ATOMIC_RELAXED);
  if (number == 0 || number > functions_.size()) return {};
  const ExportedFunction& function = functions_[number - 1];
  return std::string(function.contract) + "." + function.name;
}

bool Addon::SetListener(const std::string& event, napi_value listener) {
  for (size_t at = 0; at < kEventNames.size(); at++) {
    if (event != kEventNames[at]) continue;
    if (listeners_[at] != nullptr) napi_delete_reference(env_, listeners_[at]);
    napi_create_reference(env_, listener, 1, &listeners_[at]);
    return true;
  }
  return false;
}

void Addon::Throw(const char* code, const std::string& message, int error, const char* operation) {
  const Napi::Env env(env_);
  const std::string full = operation == nullptr ? message : message + Describe({error, operation});
  napi_value constructor = nullptr;
  if (environment_->error_class != nullptr)
    napi_get_reference_value(env_, environment_->error_class, &constructor);
  if (constructor == nullptr) {
    napi_throw_error(env_, code, full.c_str());
    return;
  }
  Napi::Object detail = Napi::Object::New(env);
  if (operation != nullptr) {
    detail.Set("errno", Napi::Number::New(env, error));
    detail.Set("syscall", Napi::String::New(env, operation));
  }
  const std::array<napi_value, 3> argv = {Napi::String::New(env, code),
                                          Napi::String::New(env, full), detail};
  napi_value instance = nullptr;
  if (napi_new_instance(env_, constructor, argv.size(), argv.data(), &instance) == napi_ok) {
    napi_throw(env_, instance);
  }
}

void Addon::Deliver(Event event, const napi_value* argv, size_t count) {
  napi_ref reference = listeners_[static_cast<size_t>(event)];
  if (reference == nullptr) return;
  napi_value listener = nullptr;
  napi_get_reference_value(env_, reference, &listener);
  if (listener == nullptr) return;
  napi_value global = nullptr;
  napi_get_global(env_, &global);
  napi_make_callback(env_, nullptr, global, listener, count, argv, nullptr);
  bool is_pending = false;
  napi_is_exception_pending(env_, &is_pending);
  if (is_pending) {
    napi_value exception = nullptr;
    napi_get_and_clear_last_exception(env_, &exception);
    napi_fatal_exception(env_, exception);
  }
}

}  // namespace halyard
