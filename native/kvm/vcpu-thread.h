// The thread on which a vCPU runs, from `Start` to its end.
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>

#include "../core/mapping.h"
#include "../core/result.h"
#include "../core/unique-fd.h"
#include "exit.h"

namespace halyard {

/// Takes a vCPU's exits, on the vCPU's thread.
class ExitSink {
 public:
  virtual ~ExitSink() = default;
  /// True if somebody will answer; otherwise the vCPU goes on at once.
  virtual bool OnExit(const Exit& exit) = 0;
};

/// All but the thread itself is called on the JavaScript thread. The vCPU's thread never waits for
/// that one, except for an answer; so `End` always comes back.
class VcpuThread {
 public:
  VcpuThread(UniqueFd fd, Mapping run, ExitSink& sink)
      : fd_(std::move(fd)), mapping_(std::move(run)), sink_(sink) {}
  VcpuThread(const VcpuThread&) = delete;
  VcpuThread& operator=(const VcpuThread&) = delete;
  ~VcpuThread() { End(); }

  int fd() const { return fd_.get(); }
  const Mapping& mapping() const { return mapping_; }
  bool running() const { return is_started_; }

  Status Start();
  /// Makes KVM_RUN return; the exit `stopped` follows, after the answer to the exit that is under
  /// way, if one is.
  void RequestStop();
  /// Answers the exit that was given to the sink. Without `resume`, finishes what KVM has begun,
  /// and joins the thread.
  void Answer(const Exit& exit, std::span<const uint8_t> data, bool resume);
  /// Ends the thread wherever it is, and joins it.
  void End();

 private:
  static void* Main(void* self);
  void Loop();
  /// Runs until there is an exit. False if the thread has to end.
  bool RunUntilExit(Exit* exit);
  /// KVM completes an access only when it is entered again: once more, without running the guest.
  void FinishAccess();
  /// Waits for an answer. False if the thread has to end.
  bool WaitForAnswer();
  void Kick();
  void Join();
  void SetImmediateExit(uint8_t value) {
    std::atomic_ref<uint8_t>(run()->immediate_exit).store(value);
  }
  kvm_run* run() const { return reinterpret_cast<kvm_run*>(mapping_.data()); }

  UniqueFd fd_;
  Mapping mapping_;
  ExitSink& sink_;
  pthread_t thread_ = {};
  bool is_started_ = false;

  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> is_ending_ = false;
  std::mutex mutex_;
  std::condition_variable answered_;
  bool has_answer_ = false;
  bool resume_ = false;
};

}  // namespace halyard
