// A descriptor that came with a message and waits to be adopted.
#pragma once

#include "core/handle-table.h"
#include "core/unique-fd.h"

namespace halyard {

class Attachment final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kAttachment;

  explicit Attachment(UniqueFd fd) : Resource(kKind), fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  UniqueFd TakeFd() { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

}  // namespace halyard
