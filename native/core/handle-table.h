// Numbers for things that JavaScript may name but never hold.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace halyard {

enum class Kind : uint8_t {
  kNone,
  kRegion,
  kEventFd,
  kTimer,
  kChannel,
  kAttachment,
  kVm,
  kVcpu,
  kKernelDevice,
  kWatcher,
  kDisk,
  kListener,
  kRefusal,
};

inline const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kRegion: return "region";
    case Kind::kEventFd: return "eventfd";
    case Kind::kTimer: return "timer";
    case Kind::kChannel: return "channel";
    case Kind::kAttachment: return "attachment";
    case Kind::kVm: return "vm";
    case Kind::kVcpu: return "vcpu";
    case Kind::kKernelDevice: return "kernel device";
    case Kind::kWatcher: return "watcher";
    case Kind::kDisk: return "disk";
    case Kind::kListener: return "seccomp listener";
    case Kind::kRefusal: return "refusal";
    case Kind::kNone: break;
  }
  return "handle";
}

/// Anything a handle can name. What it owns is released by its destructor.
class Resource {
 public:
  explicit Resource(Kind kind) : kind_(kind) {}
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  virtual ~Resource() = default;

  Kind kind() const { return kind_; }
  uint32_t handle() const { return handle_; }

 private:
  friend class HandleTable;

  const Kind kind_;
  uint32_t handle_ = 0;
};

/// Handles count up from 1 and are never given out twice, so that a stale one is always recognised.
class HandleTable {
 public:
  enum class Lookup : uint8_t { kOpen, kUnknown, kOtherKind, kClosed };

  uint32_t Add(std::unique_ptr<Resource> resource) {
    const auto handle = static_cast<uint32_t>(slots_.size());
    resource->handle_ = handle;
    slots_.push_back({resource->kind(), std::move(resource)});
    return handle;
  }

  Resource* Find(uint32_t handle, Kind kind) const {
    if (handle >= slots_.size() || slots_[handle].kind != kind) return nullptr;
    return slots_[handle].resource.get();
  }

  /// A resource of any kind, or nullptr.
  Resource* FindAny(uint32_t handle) const {
    return handle < slots_.size() ? slots_[handle].resource.get() : nullptr;
  }

  /// Says why `Find` found nothing.
  Lookup Explain(uint32_t handle, Kind kind) const {
    if (handle >= slots_.size() || slots_[handle].kind == Kind::kNone) return Lookup::kUnknown;
    if (slots_[handle].kind != kind) return Lookup::kOtherKind;
    return slots_[handle].resource ? Lookup::kOpen : Lookup::kClosed;
  }

  bool IsClosed(uint32_t handle) const {
    return handle < slots_.size() && slots_[handle].kind != Kind::kNone && !slots_[handle].resource;
  }

  /// Takes the resource out; its handle is closed from then on.
  std::unique_ptr<Resource> Take(uint32_t handle) {
    return handle < slots_.size() ? std::move(slots_[handle].resource) : nullptr;
  }

  /// Closes everything, the newest first: a vCPU goes before its VM.
  void Clear() {
    for (size_t at = slots_.size(); at-- > 0;) Take(static_cast<uint32_t>(at)).reset();
  }

 private:
  struct Slot {
    Kind kind = Kind::kNone;
    std::unique_ptr<Resource> resource;
  };

  std::vector<Slot> slots_ = std::vector<Slot>(1);
};

}  // namespace halyard
