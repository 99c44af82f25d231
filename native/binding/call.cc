#include "call.h"

#include <cinttypes>
#include <cstdio>

namespace halyard {

namespace {

std::string ShowNumber(double number) {
  char text[32];  // NOLINT(modernize-avoid-c-arrays)
  snprintf(text, sizeof(text), "%.17g", number);
  return text;
}

std::string Show(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok) return ShowNumber(number);
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  switch (type) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_string: return "a string";
    case napi_symbol: return "a symbol";
    case napi_function: return "a function";
    case napi_bigint: return "a bigint";
    default: return "an object";
  }
}

}  // namespace

bool Call::Refuse(const char* code, const std::string& problem) {
  addon.Throw(code, std::string(name) + ": " + problem);
  return false;
}

bool Call::Fail(const Failure& failure) {
  addon.Throw("SYSCALL_FAILED", std::string(name) + ": ", failure.error, failure.operation);
  return false;
}

bool Call::RefuseHandle(uint32_t handle, Kind kind) {
  const std::string text = std::string(KindName(kind)) + " " + std::to_string(handle);
  switch (addon.handles().Explain(handle, kind)) {
    case HandleTable::Lookup::kClosed: return Refuse("CLOSED_HANDLE", text + " is closed");
    case HandleTable::Lookup::kOtherKind:
      return Refuse("BAD_HANDLE", "handle " + std::to_string(handle) + " is no " + KindName(kind));
    default: return Refuse("BAD_HANDLE", text + " was never given out");
  }
}

bool Call::RefuseNumber(size_t index, const char* what, double max) {
  return Invalid(std::string(what) + " must be a whole number from 0 to " + ShowNumber(max) +
                 ", got " + Show(env, argv_[index]));
}

bool Call::U64(size_t index, const char* what, uint64_t* out) {
  bool is_lossless = false;
  if (napi_get_value_bigint_uint64(env, argv_[index], out, &is_lossless) == napi_ok &&
      is_lossless) {
    return true;
  }
  return Invalid(std::string(what) + " must be a bigint of 64 bits, got " +
                 Show(env, argv_[index]));
}

bool Call::Bool(size_t index, const char* what, bool* out) {
  if (napi_get_value_bool(env, argv_[index], out) == napi_ok) return true;
  return Invalid(std::string(what) + " must be true or false, got " + Show(env, argv_[index]));
}

bool Call::Text(size_t index, const char* what, std::string* out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, argv_[index], nullptr, 0, &length) != napi_ok) {
    return Invalid(std::string(what) + " must be text, got " + Show(env, argv_[index]));
  }
  out->resize(length + 1);
  napi_get_value_string_utf8(env, argv_[index], out->data(), out->size(), &length);
  out->resize(length);
  if (out->find('\0') != std::string::npos) {
    return Invalid(std::string(what) + " must not hold a NUL character");
  }
  return true;
}

bool Call::OneOf(size_t index, const char* what, std::span<const char* const> values, size_t* out) {
  std::string names;
  size_t length = 0;
  char text[32];  // NOLINT(modernize-avoid-c-arrays)
  const bool is_text =
      napi_get_value_string_utf8(env, argv_[index], text, sizeof(text), &length) == napi_ok;
  for (size_t at = 0; at < values.size(); at++) {
    if (is_text && std::string_view(text, length) == values[at]) {
      *out = at;
      return true;
    }
    names += (at == 0 ? "" : " or ") + std::string(values[at]);
  }
  return Invalid(std::string(what) + " must be " + names);
}

bool Call::TypedArray(size_t index, const char* what, napi_typedarray_type type, void** data,
                      size_t* length) {
  napi_typedarray_type found = napi_int8_array;
  if (napi_get_typedarray_info(env, argv_[index], &found, length, data, nullptr, nullptr) ==
          napi_ok &&
      found == type) {
    return true;
  }
  const char* wanted = type == napi_uint8_array    ? "a Uint8Array"
                       : type == napi_uint16_array ? "a Uint16Array"
                       : type == napi_uint32_array ? "a Uint32Array"
                                                   : "a Float64Array";
  return Invalid(std::string(what) + " must be " + wanted + ", got " + Show(env, argv_[index]));
}

bool Call::U32List(size_t index, const char* what, size_t max, std::vector<uint32_t>* out) {
  bool is_array = false;
  uint32_t length = 0;
  napi_is_array(env, argv_[index], &is_array);
  if (is_array) napi_get_array_length(env, argv_[index], &length);
  if (!is_array || length > max) {
    return Invalid(std::string(what) + " must be an array of at most " + std::to_string(max) +
                   " numbers");
  }
  for (uint32_t at = 0; at < length; at++) {
    napi_value item = nullptr;
    double number = -1;
    if (napi_get_element(env, argv_[index], at, &item) != napi_ok) return false;
    napi_get_value_double(env, item, &number);
    const bool in_range = number >= 0 && number <= kMaxU32;
    const auto whole = in_range ? static_cast<uint32_t>(number) : 0;
    if (!in_range || static_cast<double>(whole) != number) {
      return Invalid(std::string(what) + "[" + std::to_string(at) +
                     "] must be a whole number from 0 to 4294967295, got " + Show(env, item));
    }
    out->push_back(whole);
  }
  return true;
}

napi_value Call::Number(double value) const {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value Call::BigInt(uint64_t value) const {
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, value, &result);
  return result;
}

}  // namespace halyard
