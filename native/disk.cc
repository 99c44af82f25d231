// The contract Disk: raw images, by handle. What is read and written never passes JavaScript.

#include "binding/call.h"
#include "binding/ranges.h"
#include "core/disk-file.h"

namespace halyard {

namespace {

napi_value Open(Call& call) {
  std::string path;
  bool is_read_only = false;
  if (!call.Text(0, "name", &path) || !call.Bool(1, "readOnly", &is_read_only)) return nullptr;
  Result<OpenedDisk> opened = OpenDisk(path.c_str(), is_read_only);
  if (!opened.ok()) return call.Fail(opened.failure()), nullptr;
  OpenedDisk& disk = opened.value();
  // No path in messages: they are in the trace.
  if (!disk.is_regular) return call.Invalid("a disk must be a plain file"), nullptr;
  if (disk.is_in_use) {
    call.addon.Throw("SYSCALL_FAILED",
                     std::string(call.name) +
                         ": another program, or another disk of this one, uses the same file; "
                         "a file may have one writer or several readers: ",
                     EAGAIN, "fcntl");
    return nullptr;
  }
  if (static_cast<double>(disk.bytes) > kMaxSafeInteger) {
    return call.Invalid("a disk must have less than 2^53 bytes"), nullptr;
  }
  Napi::Object result = Napi::Object::New(call.env);
  const auto size = static_cast<double>(disk.bytes);
  napi_value handle =
      call.Give(std::make_unique<DiskFile>(std::move(disk.fd), disk.bytes, is_read_only));
  result.Set("disk", handle);
  result.Set("size", size);
  return result;
}

napi_value OpenNull(Call& call) {
  uint64_t size = 0;
  if (!call.U53(0, "size", &size)) return nullptr;
  return call.Give(std::make_unique<DiskFile>(size));
}

bool CheckWithin(Call& call, const DiskFile& disk, uint64_t offset, uint64_t length) {
  return disk.Holds(offset, length) ||
         call.Refuse("OUT_OF_BOUNDS", std::to_string(length) + " bytes at offset " +
                                          std::to_string(offset) + " do not lie on disk " +
                                          std::to_string(disk.handle()) + " of " +
                                          std::to_string(disk.size()) + " bytes");
}

bool CheckWritable(Call& call, const DiskFile& disk) {
  return !disk.is_read_only() ||
         call.Invalid("disk " + std::to_string(disk.handle()) + " was opened to be read only");
}

/// The arguments that reading and writing have in common.
struct Transfer {
  DiskFile* disk = nullptr;
  uint64_t offset = 0;
  const Region* region = nullptr;
  std::span<double> ranges;
};

bool ReadTransfer(Call& call, Transfer* transfer) {
  transfer->disk = call.Open<DiskFile>(0);
  if (transfer->disk == nullptr || !call.U53(1, "offset", &transfer->offset)) return false;
  transfer->region = call.Open<Region>(2);
  if (transfer->region == nullptr ||
      !ReadRanges(call, 3, *transfer->region, 1, &transfer->ranges)) {
    return false;
  }
  const DiskFile& disk = *transfer->disk;
  if (!CheckWithin(call, disk, transfer->offset, 0)) return false;
  // Summed up range by range, so that no sum overflows.
  uint64_t total = 0;
  for (size_t at = 1; at < transfer->ranges.size(); at += 2) {
    const auto length = static_cast<uint64_t>(transfer->ranges[at]);
    if (!CheckWithin(call, disk, transfer->offset + total, length)) return false;
    total += length;
  }
  return true;
}

napi_value Give(Call& call, Result<Moved> moved) {
  if (!moved.ok()) return call.Fail(moved.failure()), nullptr;
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("length", static_cast<double>(moved.value().length));
  result.Set("sha256", moved.value().sha256);
  return result;
}

napi_value ReadInto(Call& call) {
  Transfer transfer;
  if (!ReadTransfer(call, &transfer)) return nullptr;
  return Give(call,
              transfer.disk->ReadInto(transfer.offset, transfer.region->data(), transfer.ranges));
}

napi_value WriteFrom(Call& call) {
  Transfer transfer;
  if (!ReadTransfer(call, &transfer) || !CheckWritable(call, *transfer.disk)) return nullptr;
  return Give(call,
              transfer.disk->WriteFrom(transfer.offset, transfer.region->data(), transfer.ranges));
}

napi_value Flush(Call& call) {
  const auto* disk = call.Open<DiskFile>(0);
  if (disk == nullptr) return nullptr;
  if (const Status status = disk->Flush()) call.Fail(*status);
  return nullptr;
}

napi_value Discard(Call& call) {
  const auto* disk = call.Open<DiskFile>(0);
  uint64_t offset = 0;
  uint64_t length = 0;
  if (disk == nullptr || !call.U53(1, "offset", &offset) || !call.U53(2, "length", &length)) {
    return nullptr;
  }
  if (!CheckWithin(call, *disk, offset, length) || !CheckWritable(call, *disk)) return nullptr;
  if (const Status status = disk->Discard(offset, length)) call.Fail(*status);
  return nullptr;
}

napi_value Close(Call& call) {
  const auto* disk = call.Open<DiskFile>(0);
  if (disk != nullptr) call.addon.handles().Take(disk->handle());
  return nullptr;
}

}  // namespace

void RegisterDisk(Addon& addon, Napi::Object target) {
  Export<Open, 2>(addon, target, "open");
  Export<OpenNull, 1>(addon, target, "openNull");
  Export<ReadInto, 4>(addon, target, "readInto");
  Export<WriteFrom, 4>(addon, target, "writeFrom");
  Export<Flush, 1>(addon, target, "flush");
  Export<Discard, 3>(addon, target, "discard");
  Export<Close, 1>(addon, target, "close");
}

}  // namespace halyard
