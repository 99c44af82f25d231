#include "vcpu-thread.h"

#include <sys/ioctl.h>

#include <csignal>

namespace halyard {

namespace {

/// Private to vCPU threads: its only effect is that KVM_RUN returns with EINTR.
int KickSignal() { return SIGRTMIN + 7; }

// A signal's disposition belongs to the process, so this is done once for all environments.
Status InstallKickHandler() {
  static const int error = [] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    return sigaction(KickSignal(), &action, nullptr) == 0 ? 0 : errno;
  }();
  if (error != 0) return Failure{error, "rt_sigaction"};
  return {};
}

}  // namespace

Status VcpuThread::Start() {
  if (const Status status = InstallKickHandler()) return status;
  stop_requested_ = false;
  is_ending_ = false;
  has_answer_ = false;
  SetImmediateExit(0);
  // The new thread inherits the mask: everything but the kick is for the other threads.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  sigdelset(&blocked, KickSignal());
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  const int error = pthread_create(&thread_, nullptr, Main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return Failure{error, "clone3"};
  is_started_ = true;
  return {};
}

void* VcpuThread::Main(void* self) {
  static_cast<VcpuThread*>(self)->Loop();
  return nullptr;
}

void VcpuThread::Loop() {
  Exit exit;
  while (RunUntilExit(&exit)) {
    if (!sink_.OnExit(exit)) continue;
    if (!WaitForAnswer()) return;
    if (!resume_) {
      if (exit.reason == ExitReason::kPio || exit.reason == ExitReason::kMmio) FinishAccess();
      return;
    }
  }
}

bool VcpuThread::RunUntilExit(Exit* exit) {
  while (!is_ending_) {
    if (ioctl(fd(), KVM_RUN, 0) == 0) {
      *exit = DecodeExit(run(), mapping_.size());
      return true;
    }
    const int error = errno;
    if (error != EINTR && error != EAGAIN) {
      *exit = FailedRun(error);
      return true;
    }
    // First the flag, then the wish: whoever sets them does it the other way round, so that no wish
    // is lost.
    SetImmediateExit(0);
    if (stop_requested_.exchange(false)) {
      *exit = Exit{};
      exit->reason = ExitReason::kStopped;
      return true;
    }
  }
  return false;
}

void VcpuThread::FinishAccess() {
  SetImmediateExit(1);
  ioctl(fd(), KVM_RUN, 0);
  SetImmediateExit(0);
}

bool VcpuThread::WaitForAnswer() {
  std::unique_lock<std::mutex> lock(mutex_);
  answered_.wait(lock, [this] { return has_answer_ || is_ending_; });
  has_answer_ = false;
  return !is_ending_;
}

void VcpuThread::Kick() {
  SetImmediateExit(1);
  pthread_kill(thread_, KickSignal());
}

void VcpuThread::RequestStop() {
  if (!is_started_) return;
  stop_requested_ = true;
  Kick();
}

void VcpuThread::Answer(const Exit& exit, std::span<const uint8_t> data, bool resume) {
  StoreAnswer(run(), exit, data);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    has_answer_ = true;
    resume_ = resume;
  }
  answered_.notify_one();
  if (!resume) Join();
}

void VcpuThread::End() {
  if (!is_started_) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
  }
  answered_.notify_one();
  Kick();
  Join();
}

void VcpuThread::Join() {
  pthread_join(thread_, nullptr);
  is_started_ = false;
}

}  // namespace halyard
