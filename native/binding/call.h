// One call from JavaScript: its arguments, checked as they are read, and its errors.
#pragma once

#include <atomic>
#include <span>
#include <string>

#include "addon.h"

namespace halyard {

constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1
constexpr uint32_t kMaxU32 = 0xffffffff;

/// Readers return false (or nullptr) after they have thrown; the caller then returns nullptr at
/// once.
class Call {
 public:
  Call(napi_env env, const ExportedFunction& function, const napi_value* argv)
      : env(env), addon(*function.addon), name(function.name), argv_(argv) {}

  napi_env env;
  Addon& addon;
  const char* const name;

  napi_value Raw(size_t index) const { return argv_[index]; }

  /// A whole number from 0 to `max` (at most 2^53 - 1).
  template <class T>
  bool Whole(size_t index, const char* what, T* out, double max) {
    double number = 0;
    if (napi_get_value_double(env, argv_[index], &number) == napi_ok && number >= 0 &&
        number <= max) {
      const auto whole = static_cast<T>(number);
      if (static_cast<double>(whole) == number) {
        *out = whole;
        return true;
      }
    }
    return RefuseNumber(index, what, max);
  }
  bool U8(size_t index, const char* what, uint8_t* out) { return Whole(index, what, out, 0xff); }
  bool U16(size_t index, const char* what, uint16_t* out) {
    return Whole(index, what, out, 0xffff);
  }
  bool U32(size_t index, const char* what, uint32_t* out) {
    return Whole(index, what, out, kMaxU32);
  }
  bool U53(size_t index, const char* what, uint64_t* out) {
    return Whole(index, what, out, kMaxSafeInteger);
  }
  /// A bigint from 0 to 2^64 - 1.
  bool U64(size_t index, const char* what, uint64_t* out);
  bool Bool(size_t index, const char* what, bool* out);
  /// Text without NUL characters.
  bool Text(size_t index, const char* what, std::string* out);
  /// The position of the text among `values`.
  bool OneOf(size_t index, const char* what, std::span<const char* const> values, size_t* out);

  template <class T>
  bool Array(size_t index, const char* what, std::span<T>* out);
  bool Bytes(size_t index, const char* what, std::span<uint8_t>* out) {
    return Array<uint8_t>(index, what, out);
  }
  /// A JavaScript array of numbers from 0 to 2^32 - 1.
  bool U32List(size_t index, const char* what, size_t max, std::vector<uint32_t>* out);

  /// The open resource that a handle names.
  template <class T>
  T* Open(size_t index) {
    double number = 0;
    if (napi_get_value_double(env, argv_[index], &number) == napi_ok && number >= 0 &&
        number <= kMaxU32) {
      const auto handle = static_cast<uint32_t>(number);
      if (static_cast<double>(handle) == number) {
        if (Resource* found = addon.handles().Find(handle, T::kKind)) {
          return static_cast<T*>(found);
        }
        RefuseHandle(handle, T::kKind);
        return nullptr;
      }
    }
    RefuseNumber(index, KindName(T::kKind), kMaxU32);
    return nullptr;
  }

  // Refusals; they return false so that a reader can return them.
  bool Invalid(const std::string& problem) { return Refuse("INVALID_ARGUMENT", problem); }
  bool Refuse(const char* code, const std::string& problem);
  bool Fail(const Failure& failure);
  bool RefuseHandle(uint32_t handle, Kind kind);

  // Results.
  napi_value Number(double value) const;
  napi_value BigInt(uint64_t value) const;
  napi_value Undefined() const { return nullptr; }
  /// Adds the resource to the table; its handle is the result.
  napi_value Give(std::unique_ptr<Resource> resource) {
    return Number(addon.handles().Add(std::move(resource)));
  }

 private:
  bool RefuseNumber(size_t index, const char* what, double max);
  bool TypedArray(size_t index, const char* what, napi_typedarray_type type, void** data,
                  size_t* length);

  const napi_value* argv_;
};

template <class T>
struct ArrayType;
template <>
struct ArrayType<uint8_t> {
  static constexpr napi_typedarray_type kType = napi_uint8_array;
};
template <>
struct ArrayType<uint16_t> {
  static constexpr napi_typedarray_type kType = napi_uint16_array;
};
template <>
struct ArrayType<uint32_t> {
  static constexpr napi_typedarray_type kType = napi_uint32_array;
};
template <>
struct ArrayType<double> {
  static constexpr napi_typedarray_type kType = napi_float64_array;
};

template <class T>
bool Call::Array(size_t index, const char* what, std::span<T>* out) {
  void* data = nullptr;
  size_t length = 0;
  if (!TypedArray(index, what, ArrayType<T>::kType, &data, &length)) return false;
  *out = {static_cast<T*>(data), length};
  return true;
}

using Function = napi_value (*)(Call& call);

/// Shows, where someone wants to know, which function is at work while it is.
class ActivityMark {
 public:
  explicit ActivityMark(const ExportedFunction& function) : page_(function.addon->activity()) {
    if (page_ != nullptr) Show(function.number);
  }
  ActivityMark(const ActivityMark&) = delete;
  ActivityMark& operator=(const ActivityMark&) = delete;
  ~ActivityMark() {
    if (page_ != nullptr) Show(0);
  }

 private:
  void Show(uint32_t number) {
    std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(page_))
        .store(number, std::memory_order_relaxed);
  }

  uint8_t* page_;
};

/// Missing arguments read as undefined, and are refused as such.
template <Function Body, size_t N>
napi_value Invoke(napi_env env, napi_callback_info info) {
  napi_value argv[N == 0 ? 1 : N];  // NOLINT(modernize-avoid-c-arrays)
  size_t count = N;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &count, argv, nullptr, &data) != napi_ok) return nullptr;
  const auto& function = *static_cast<const ExportedFunction*>(data);
  const ActivityMark mark(function);
  Call call(env, function, argv);
  return Body(call);
}

/// Puts a function of N positional arguments on an object of the exports.
template <Function Body, size_t N>
void Export(Addon& addon, Napi::Object target, const char* name) {
  napi_value function = nullptr;
  const ExportedFunction* data = addon.Export(name);
  napi_create_function(addon.env(), name, NAPI_AUTO_LENGTH, Invoke<Body, N>,
                       const_cast<ExportedFunction*>(data), &function);
  target.Set(name, function);
}

// One for each contract, in the file of that name.
void RegisterMmap(Addon& addon, Napi::Object target);
void RegisterEventFd(Addon& addon, Napi::Object target);
void RegisterClock(Addon& addon, Napi::Object target);
void RegisterEntropy(Addon& addon, Napi::Object target);
void RegisterChannel(Addon& addon, Napi::Object target);
void RegisterSeccomp(Addon& addon, Napi::Object target);
void RegisterKvm(Addon& addon, Napi::Object target);
void RegisterWatcher(Addon& addon, Napi::Object target);
void RegisterDisk(Addon& addon, Napi::Object target);

}  // namespace halyard
