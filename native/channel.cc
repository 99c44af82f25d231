// The contract Channel: SEQPACKET pairs between processes, with descriptors travelling along.
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <vector>

#include "attachment.h"
#include "binding/call.h"
#include "core/inherited.h"
#include "event-fd.h"

namespace halyard {

namespace {

constexpr size_t kMaxMessageBytes = size_t{64} * 1024;
constexpr size_t kMaxAttached = 64;
/// Messages delivered before other events of the loop get their turn.
constexpr int kMessagesPerWake = 16;

struct Message {
  std::vector<uint8_t> data;
  std::vector<UniqueFd> attached;
};

class Channel final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kChannel;

  Channel(Addon& addon, UniqueFd fd)
      : Resource(kKind),
        addon_(addon),
        fd_(std::move(fd)),
        poller_(addon.loop_handles(), OnReady, this) {}

  int fd() const { return fd_.get(); }
  Status Listen() {
    if (has_ended_) return {};
    return poller_.Start(fd_.get());
  }

 private:
  enum class Received : uint8_t { kMessage, kNothing, kHungUp, kBroken };

  static void OnReady(void* self, int);
  Received Receive(Message* message) const;
  void EmitMessage(const Message& message, std::vector<uint32_t> attached) const;
  void End(const char* reason);

  Addon& addon_;
  UniqueFd fd_;
  Poller poller_;
  bool has_ended_ = false;
};

std::vector<UniqueFd> TakeDescriptors(msghdr& header) {
  std::vector<UniqueFd> taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t at = 0; at < count; at++) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + at * sizeof(int), sizeof(int));
      taken.emplace_back(fd);
    }
  }
  return taken;
}

Channel::Received Channel::Receive(Message* message) const {
  message->data.resize(kMaxMessageBytes);
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(kMaxAttached * sizeof(int))> control = {};
  iovec part = {message->data.data(), message->data.size()};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t count = 0;
  // After ECONNRESET (the peer left messages unread) what it sent before is still there to be read.
  do {
    count = recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (count < 0 && (errno == EINTR || errno == ECONNRESET));
  if (count < 0) return errno == EAGAIN ? Received::kNothing : Received::kBroken;
  message->attached = TakeDescriptors(header);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Received::kBroken;
  if (count == 0) return Received::kHungUp;
  message->data.resize(static_cast<size_t>(count));
  return Received::kMessage;
}

void Channel::OnReady(void* self, int) {
  auto* channel = static_cast<Channel*>(self);
  Addon& addon = channel->addon_;
  const uint32_t handle = channel->handle();
  for (int round = 0; round < kMessagesPerWake; round++) {
    Message message;
    switch (channel->Receive(&message)) {
      case Received::kNothing: return;
      case Received::kHungUp: return channel->End("hung-up");
      case Received::kBroken: return channel->End("error");
      case Received::kMessage: break;
    }
    // Reading has cleared the error, if there was one; the loop looks at the channel again.
    if (const Status status = channel->Listen()) return channel->End("error");
    std::vector<uint32_t> attached;
    for (UniqueFd& fd : message.attached) {
      attached.push_back(addon.handles().Add(std::make_unique<Attachment>(std::move(fd))));
    }
    channel->EmitMessage(message, std::move(attached));
    // The listener may have closed the channel.
    if (addon.handles().Find(handle, Kind::kChannel) == nullptr) return;
  }
}

void Channel::EmitMessage(const Message& message, std::vector<uint32_t> attached) const {
  const Napi::Env env(addon_.env());
  const uint32_t handle = this->handle();
  addon_.Emit<3>(Event::kChannelMessage, [&](napi_value* argv) {
    Napi::Uint8Array data = Napi::Uint8Array::New(env, message.data.size());
    std::memcpy(data.Data(), message.data.data(), message.data.size());
    Napi::Array list = Napi::Array::New(env, attached.size());
    for (uint32_t at = 0; at < attached.size(); at++) list.Set(at, attached[at]);
    napi_create_uint32(env, handle, &argv[0]);
    argv[1] = data;
    argv[2] = list;
  });
}

void Channel::End(const char* reason) {
  has_ended_ = true;
  poller_.Stop();
  const Napi::Env env(addon_.env());
  const uint32_t handle = this->handle();
  addon_.Emit<2>(Event::kChannelClosed, [&](napi_value* argv) {
    napi_create_uint32(env, handle, &argv[0]);
    argv[1] = Napi::String::New(env, reason);
  });
}

napi_value Pair(Call& call) {
  std::string name;
  if (!call.Text(0, "name", &name)) return nullptr;
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return call.Fail(LastFailure("socketpair")), nullptr;
  }
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("near", call.Give(std::make_unique<Channel>(call.addon, UniqueFd(ends[0]))));
  result.Set("far", call.Give(std::make_unique<Channel>(call.addon, UniqueFd(ends[1]))));
  return result;
}

napi_value Adopt(Call& call) {
  uint32_t slot = 0;
  std::string name;
  if (!call.U32(0, "slot", &slot) || !call.Text(1, "name", &name)) return nullptr;
  UniqueFd fd = TakeInheritedChannel(slot);
  if (!fd.valid()) {
    call.Invalid("this process was started with no channel in slot " + std::to_string(slot) +
                 ", or it was adopted before");
    return nullptr;
  }
  return call.Give(std::make_unique<Channel>(call.addon, std::move(fd)));
}

/// The descriptors of regions, eventfds and attachments.
bool ReadAttached(Call& call, size_t index, std::vector<int>* fds, std::vector<uint32_t>* given) {
  std::vector<uint32_t> handles;
  if (!call.U32List(index, "attach", kMaxAttached, &handles)) return false;
  for (const uint32_t handle : handles) {
    const Resource* found = call.addon.handles().FindAny(handle);
    if (found != nullptr && found->kind() == Kind::kRegion) {
      fds->push_back(static_cast<const Region*>(found)->fd());
    } else if (found != nullptr && found->kind() == Kind::kEventFd) {
      fds->push_back(static_cast<const EventFd*>(found)->fd());
    } else if (found != nullptr && found->kind() == Kind::kAttachment) {
      fds->push_back(static_cast<const Attachment*>(found)->fd());
      given->push_back(handle);
    } else if (call.addon.handles().IsClosed(handle)) {
      return call.Refuse("CLOSED_HANDLE",
                         "attached handle " + std::to_string(handle) + " is closed");
    } else {
      return call.Refuse("BAD_HANDLE", "attached handle " + std::to_string(handle) +
                                           " is no region, eventfd or attachment");
    }
  }
  return true;
}

napi_value Send(Call& call) {
  std::span<uint8_t> data;
  std::vector<int> fds;
  std::vector<uint32_t> given;
  // The list first: a getter of its could close the channel.
  if (!ReadAttached(call, 2, &fds, &given) || !call.Bytes(1, "data", &data)) return nullptr;
  const auto* channel = call.Open<Channel>(0);
  if (channel == nullptr) return nullptr;
  // A message of no bytes would look like a hang-up at the other end.
  if (data.empty() || data.size() > kMaxMessageBytes) {
    return call.Invalid("data must hold 1 to " + std::to_string(kMaxMessageBytes) + " bytes, got " +
                        std::to_string(data.size())),
           nullptr;
  }
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(kMaxAttached * sizeof(int))> control = {};
  iovec part = {data.data(), data.size()};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  if (RetryInterrupted(
          [&] { return sendmsg(channel->fd(), &header, MSG_NOSIGNAL | MSG_DONTWAIT); }) < 0) {
    return call.Fail(LastFailure("sendmsg")), nullptr;
  }
  // An attachment changes hands: what nobody adopted here is the receiver's alone.
  for (const uint32_t handle : given) call.addon.handles().Take(handle);
  return nullptr;
}

napi_value Listen(Call& call) {
  auto* channel = call.Open<Channel>(0);
  if (channel == nullptr) return nullptr;
  if (const Status status = channel->Listen()) call.Fail(*status);
  return nullptr;
}

napi_value Close(Call& call) {
  const auto* channel = call.Open<Channel>(0);
  if (channel != nullptr) call.addon.handles().Take(channel->handle());
  return nullptr;
}

/// For spawning a child on the TypeScript side; the number goes no further.
napi_value FdOf(Call& call) {
  const auto* channel = call.Open<Channel>(0);
  return channel == nullptr ? nullptr : call.Number(channel->fd());
}

}  // namespace

void RegisterChannel(Addon& addon, Napi::Object target) {
  Export<Pair, 1>(addon, target, "pair");
  Export<Adopt, 2>(addon, target, "adopt");
  Export<Send, 3>(addon, target, "send");
  Export<Listen, 1>(addon, target, "listen");
  Export<Close, 1>(addon, target, "close");
  Export<FdOf, 1>(addon, target, "fdOf");
}

}  // namespace halyard
