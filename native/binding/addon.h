// What the addon keeps: for a JavaScript environment (the main thread, or one worker), and for each
// session in it.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "../core/handle-table.h"
#include "../core/mapping.h"
#include "../core/poller.h"
#include "../core/result.h"
#include "../core/shared-memory.h"

namespace halyard {

class Addon;

/// What a contract keeps for a whole environment, beside its handles.
class ContractState {
 public:
  ContractState() = default;
  ContractState(const ContractState&) = delete;
  ContractState& operator=(const ContractState&) = delete;
  virtual ~ContractState() = default;
};

/// Events that the addon delivers, by their contract and name.
enum class Event : uint8_t {
  kEventFdSignalled,
  kClockExpired,
  kChannelMessage,
  kChannelClosed,
  kKvmExit,
  kKvmCoalesced,
  kWatcherReadable,
  kSeccompRefused,
  kCount,
};

/// Shared by the sessions of an environment.
struct Environment {
  napi_ref error_class = nullptr;
  DiscardPrimitive discard_primitive = ProbeDiscardPrimitive();
};

/// One exported function: what its errors call it, and whose it is.
struct ExportedFunction {
  Addon* addon;
  const char* name;
  /// Of which contract, and which function of the session, from 1.
  const char* contract;
  uint32_t number;
};

/// One session: handles of its own, counting from 1, so that a composition's numbers do not depend
/// on what ran before it in the same environment. It lives until the environment ends, because its
/// functions may be called as long.
class Addon {
 public:
  Addon(napi_env env, uv_loop_t* loop, std::shared_ptr<Environment> environment);
  Addon(const Addon&) = delete;
  Addon& operator=(const Addon&) = delete;
  ~Addon();

  napi_env env() const { return env_; }
  HandleTable& handles() { return handles_; }
  LoopHandles& loop_handles() { return loop_handles_; }
  Environment& environment() { return *environment_; }

  /// What is exported from now on is of this contract; the name lives for ever.
  void BeginContract(const char* name) { contract_ = name; }
  const ExportedFunction* Export(const char* name) {
    const auto number = static_cast<uint32_t>(functions_.size() + 1);
    return &functions_.emplace_back(ExportedFunction{this, name, contract_, number});
  }

  /// From now on the page says at each time which function of this session is at work.
  void ShowActivity(Mapping page) { activity_ = std::move(page); }
  uint8_t* activity() const { return activity_.data(); }
  /// As in "mmap.discard", of a page that another process with the same addon shows; empty for
  /// none.
  std::string NameOfActivity(const uint8_t* page) const;

  /// Hands over the function that takes an event's fields by position. False if no event has the
  /// name.
  bool SetListener(const std::string& event, napi_value listener);

  /// Makes the pending exception a HalError.
  void Throw(const char* code, const std::string& message, int error = 0,
             const char* operation = nullptr);

  /// Calls the event's listener. `build(argv)` makes the fields, inside a handle scope of its own.
  template <size_t N, class Build>
  void Emit(Event event, Build build) {
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
    std::array<napi_value, N> argv = {};
    build(argv.data());
    Deliver(event, argv.data(), N);
    napi_close_handle_scope(env_, scope);
  }

  /// Ends threads and closes whatever is open. No event comes after it.
  void Close();

  /// Made when the contract Kvm is first used. Outlives every VM.
  std::unique_ptr<ContractState>& kvm_state() { return kvm_state_; }

 private:
  static void OnCleanup(napi_async_cleanup_hook_handle hook, void* self);

  void Deliver(Event event, const napi_value* argv, size_t count);

  napi_env env_;
  LoopHandles loop_handles_;
  std::unique_ptr<ContractState> kvm_state_;
  HandleTable handles_;
  std::shared_ptr<Environment> environment_;
  std::deque<ExportedFunction> functions_;
  const char* contract_ = "";
  // Not closed with the session: a call of it may be the one that closes.
  Mapping activity_;
  std::array<napi_ref, static_cast<size_t>(Event::kCount)> listeners_ = {};
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace halyard
