// The contract Mmap: guest memory for JavaScript, by handle.

#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <optional>

#include "attachment.h"
#include "binding/call.h"
#include "binding/ranges.h"
#include "core/load-file.h"
#include "core/shared-memory.h"

namespace halyard {

static_assert(std::endian::native == std::endian::little, "guest memory is little-endian");
static_assert(std::atomic_ref<uint16_t>::is_always_lock_free);
static_assert(std::atomic_ref<uint32_t>::is_always_lock_free);

namespace {

/// The address of `length` bytes at the offset in argument 1, or nullptr after a refusal.
uint8_t* Locate(Call& call, const Region& region, uint64_t length, uint64_t alignment) {
  uint64_t offset = 0;
  if (!call.U53(1, "offset", &offset)) return nullptr;
  if (offset % alignment != 0) {
    call.Invalid("offset must be a multiple of " + std::to_string(alignment) + ", got " +
                 std::to_string(offset));
    return nullptr;
  }
  if (!region.Holds(offset, length)) {
    RefuseBounds(call, region, offset, length);
    return nullptr;
  }
  return region.data() + offset;
}

template <class T>
T* LocateWord(Call& call) {
  const Region* region = call.Open<Region>(0);
  if (region == nullptr) return nullptr;
  return reinterpret_cast<T*>(Locate(call, *region, sizeof(T), sizeof(T)));
}

bool WholePages(Call& call, const char* what, uint64_t value, bool may_be_zero) {
  if (value % PageSize() == 0 && (value != 0 || may_be_zero)) return true;
  return call.Invalid(std::string(what) + " must be a " + (may_be_zero ? "" : "positive ") +
                      "multiple of the page size " + std::to_string(PageSize()) + ", got " +
                      std::to_string(value));
}

napi_value CreateRegion(Call& call) {
  std::string name;
  uint64_t size = 0;
  if (!call.Text(0, "name", &name) || !call.U53(1, "size", &size)) return nullptr;
  if (!WholePages(call, "size", size, false)) return nullptr;
  Result<UniqueFd> fd = CreateSealedMemfd(name.c_str(), size);
  if (!fd.ok()) return call.Fail(fd.failure()), nullptr;
  Result<Mapping> mapping = Mapping::Shared(fd.value().get(), size, 0);
  if (!mapping.ok()) return call.Fail(mapping.failure()), nullptr;
  return call.Give(std::make_unique<Region>(std::move(fd.value()), std::move(mapping.value()), 0,
                                            call.addon.environment().discard_primitive));
}

napi_value AdoptRegion(Call& call) {
  auto* attachment = call.Open<Attachment>(0);
  uint64_t size = 0;
  uint64_t offset = 0;
  if (attachment == nullptr || !call.U53(1, "size", &size) || !call.U53(2, "offset", &offset)) {
    return nullptr;
  }
  if (!WholePages(call, "size", size, false) || !WholePages(call, "offset", offset, true)) {
    return nullptr;
  }
  Result<SharedFile> file = InspectSharedFile(attachment->fd());
  if (!file.ok()) return call.Fail(file.failure()), nullptr;
  if (!file.value().is_sealed) {
    return call.Invalid("attachment " + std::to_string(attachment->handle()) +
                        " must be a memfd sealed with F_SEAL_SHRINK: its sender could take pages "
                        "away that this process uses"),
           nullptr;
  }
  if (size > file.value().size || offset > file.value().size - size) {
    return call.Refuse("OUT_OF_BOUNDS", std::to_string(size) + " bytes at offset " +
                                            std::to_string(offset) + " do not lie in memory of " +
                                            std::to_string(file.value().size) + " bytes"),
           nullptr;
  }
  Result<Mapping> mapping = Mapping::Shared(attachment->fd(), size, static_cast<off_t>(offset));
  if (!mapping.ok()) return call.Fail(mapping.failure()), nullptr;
  UniqueFd fd = attachment->TakeFd();
  call.addon.handles().Take(attachment->handle());
  return call.Give(std::make_unique<Region>(std::move(fd), std::move(mapping.value()), offset,
                                            call.addon.environment().discard_primitive));
}

napi_value CloseRegion(Call& call) {
  const Region* region = call.Open<Region>(0);
  if (region != nullptr) call.addon.handles().Take(region->handle());
  return nullptr;
}

template <class T>
napi_value Read(Call& call) {
  const Region* region = call.Open<Region>(0);
  std::span<T> into;
  if (region == nullptr || !call.Array<T>(2, "into", &into)) return nullptr;
  const uint8_t* from = Locate(call, *region, into.size_bytes(), sizeof(T));
  if (from != nullptr && !into.empty()) std::memcpy(into.data(), from, into.size_bytes());
  return nullptr;
}

template <class T>
napi_value Write(Call& call) {
  const Region* region = call.Open<Region>(0);
  std::span<T> data;
  if (region == nullptr || !call.Array<T>(2, "data", &data)) return nullptr;
  uint8_t* to = Locate(call, *region, data.size_bytes(), sizeof(T));
  if (to != nullptr && !data.empty()) std::memcpy(to, data.data(), data.size_bytes());
  return nullptr;
}

template <class T>
napi_value LoadAcquire(Call& call) {
  T* word = LocateWord<T>(call);
  if (word == nullptr) return nullptr;
  napi_value result = nullptr;
  napi_create_uint32(call.env, std::atomic_ref<T>(*word).load(std::memory_order_acquire), &result);
  return result;
}

napi_value StoreReleaseU16(Call& call) {
  uint16_t value = 0;
  auto* word = LocateWord<uint16_t>(call);
  if (word == nullptr || !call.U16(2, "value", &value)) return nullptr;
  std::atomic_ref<uint16_t>(*word).store(value, std::memory_order_release);
  return nullptr;
}

template <bool IsOr>
napi_value Combine(Call& call) {
  uint32_t mask = 0;
  auto* word = LocateWord<uint32_t>(call);
  if (word == nullptr || !call.U32(2, "mask", &mask)) return nullptr;
  const std::atomic_ref<uint32_t> shared(*word);
  napi_value result = nullptr;
  napi_create_uint32(call.env, IsOr ? shared.fetch_or(mask) : shared.fetch_and(mask), &result);
  return result;
}

napi_value Discard(Call& call) {
  const Region* region = call.Open<Region>(0);
  std::span<double> ranges;
  if (region == nullptr || !ReadRanges(call, 1, *region, PageSize(), &ranges)) return nullptr;
  for (size_t at = 0; at < ranges.size(); at += 2) {
    const Status status =
        region->Discard(static_cast<uint64_t>(ranges[at]), static_cast<uint64_t>(ranges[at + 1]));
    if (status) return call.Fail(*status), nullptr;
  }
  return nullptr;
}

/// A plain file, and how long it is.
struct PlainFile {
  UniqueFd fd;
  uint64_t bytes;
};

/// The file that argument 2 names, or nothing after a refusal.
std::optional<PlainFile> OpenPlainFile(Call& call) {
  std::string path;
  if (!call.Text(2, "path", &path)) return std::nullopt;
  Result<UniqueFd> file = OpenFile(path.c_str());
  if (!file.ok()) return call.Fail(file.failure()), std::nullopt;
  Result<FileSize> size = SizeOfFile(file.value().get());
  if (!size.ok()) return call.Fail(size.failure()), std::nullopt;
  if (!size.value().is_regular) {
    return call.Invalid("path must name a plain file, and " + path + " is none"), std::nullopt;
  }
  return PlainFile{std::move(file.value()), size.value().bytes};
}

napi_value Load(Call& call) {
  const Region* region = call.Open<Region>(0);
  uint64_t offset = 0;
  if (region == nullptr || !call.U53(1, "offset", &offset)) return nullptr;
  const std::optional<PlainFile> file = OpenPlainFile(call);
  if (!file.has_value()) return nullptr;
  if (!region->Holds(offset, file->bytes)) {
    return RefuseBounds(call, *region, offset, file->bytes), nullptr;
  }
  Result<LoadedFile> loaded = LoadFile(file->fd.get(), region->data() + offset, file->bytes);
  if (!loaded.ok()) return call.Fail(loaded.failure()), nullptr;
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("length", static_cast<double>(loaded.value().length));
  result.Set("sha256", loaded.value().sha256);
  return result;
}

napi_value LoadRange(Call& call) {
  const Region* region = call.Open<Region>(0);
  uint64_t offset = 0;
  uint64_t file_offset = 0;
  uint64_t length = 0;
  if (region == nullptr || !call.U53(1, "offset", &offset) ||
      !call.U53(3, "fileOffset", &file_offset) || !call.U53(4, "maxLength", &length)) {
    return nullptr;
  }
  if (!region->Holds(offset, length)) return RefuseBounds(call, *region, offset, length), nullptr;
  const std::optional<PlainFile> file = OpenPlainFile(call);
  if (!file.has_value()) return nullptr;
  if (lseek(file->fd.get(), static_cast<off_t>(file_offset), SEEK_SET) < 0) {
    return call.Fail(LastFailure("lseek")), nullptr;
  }
  Result<LoadedFile> loaded = LoadFile(file->fd.get(), region->data() + offset, length);
  if (!loaded.ok()) return call.Fail(loaded.failure()), nullptr;
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("length", static_cast<double>(loaded.value().length));
  result.Set("fileLength", static_cast<double>(file->bytes));
  result.Set("sha256", loaded.value().sha256);
  return result;
}

napi_value Residency(Call& call) {
  const Region* region = call.Open<Region>(0);
  if (region == nullptr) return nullptr;
  Result<uint64_t> bytes = region->Residency();
  if (!bytes.ok()) return call.Fail(bytes.failure()), nullptr;
  return call.Number(static_cast<double>(bytes.value()));
}

napi_value Describe(Call& call) {
  const Region* region = call.Open<Region>(0);
  if (region == nullptr) return nullptr;
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("size", static_cast<double>(region->size()));
  result.Set("pageSize", static_cast<double>(PageSize()));
  result.Set("primitive",
             region->primitive() == DiscardPrimitive::kMadvRemove ? "madv-remove" : "punch-hole");
  return result;
}

}  // namespace

void RegisterMmap(Addon& addon, Napi::Object target) {
  Export<CreateRegion, 2>(addon, target, "createRegion");
  Export<AdoptRegion, 3>(addon, target, "adoptRegion");
  Export<CloseRegion, 1>(addon, target, "closeRegion");
  Export<Read<uint8_t>, 3>(addon, target, "read");
  Export<Read<uint16_t>, 3>(addon, target, "readU16Array");
  Export<Read<uint32_t>, 3>(addon, target, "readU32Array");
  Export<Write<uint8_t>, 3>(addon, target, "write");
  Export<Write<uint32_t>, 3>(addon, target, "writeU32Array");
  Export<LoadAcquire<uint16_t>, 2>(addon, target, "loadAcquireU16");
  Export<StoreReleaseU16, 3>(addon, target, "storeReleaseU16");
  Export<LoadAcquire<uint32_t>, 2>(addon, target, "loadAcquireU32");
  Export<Combine<true>, 3>(addon, target, "orU32");
  Export<Combine<false>, 3>(addon, target, "andU32");
  Export<Discard, 2>(addon, target, "discard");
  Export<Load, 3>(addon, target, "load");
  Export<Residency, 1>(addon, target, "residency");
  Export<Describe, 1>(addon, target, "describe");
  Export<LoadRange, 5>(addon, target, "loadRange");
}

}  // namespace halyard
