#include "fields.h"

#include <cstring>

namespace halyard {

namespace {

bool IsObject(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type == napi_object;
}

bool ReadBigint(Call& call, napi_value value, const std::string& path, void* target) {
  uint64_t whole = 0;
  bool is_lossless = false;
  if (napi_get_value_bigint_uint64(call.env, value, &whole, &is_lossless) != napi_ok ||
      !is_lossless) {
    return call.Invalid(path + " must be a bigint of 64 bits");
  }
  std::memcpy(target, &whole, sizeof(whole));
  return true;
}

bool ReadNumber(Call& call, napi_value value, const std::string& path, size_t bytes, void* target) {
  const uint64_t max = (uint64_t{1} << (bytes * 8)) - 1;
  double number = -1;
  napi_get_value_double(call.env, value, &number);
  const bool in_range = number >= 0 && number <= static_cast<double>(max);
  const uint64_t whole = in_range ? static_cast<uint64_t>(number) : 0;
  if (!in_range || static_cast<double>(whole) != number) {
    return call.Invalid(path + " must be a whole number from 0 to " + std::to_string(max));
  }
  std::memcpy(target, &whole, bytes);
  return true;
}

}  // namespace

bool ReadFields(Call& call, napi_value object, const std::string& path,
                std::span<const Field> fields, void* structure) {
  if (!IsObject(call.env, object)) return call.Invalid(path + " must be an object");
  for (const Field& field : fields) {
    napi_value value = nullptr;
    // Fails if a getter threw: its exception is the call's then.
    if (napi_get_named_property(call.env, object, field.name, &value) != napi_ok) return false;
    void* target = static_cast<uint8_t*>(structure) + field.offset;
    const std::string name = path + "." + field.name;
    const bool is_read = field.bytes == 8 ? ReadBigint(call, value, name, target)
                                          : ReadNumber(call, value, name, field.bytes, target);
    if (!is_read) return false;
  }
  return true;
}

Napi::Object MakeObject(Call& call, std::span<const Field> fields, const void* structure) {
  const Napi::Env env(call.env);
  Napi::Object object = Napi::Object::New(env);
  for (const Field& field : fields) {
    uint64_t value = 0;
    std::memcpy(&value, static_cast<const uint8_t*>(structure) + field.offset, field.bytes);
    if (field.bytes == 8) {
      object.Set(field.name, Napi::BigInt::New(env, value));
    } else {
      object.Set(field.name, Napi::Number::New(env, static_cast<double>(value)));
    }
  }
  return object;
}

bool ReadObject(Call& call, napi_value parent, const std::string& path, const char* name,
                napi_value* out) {
  if (!IsObject(call.env, parent)) return call.Invalid(path + " must be an object");
  if (napi_get_named_property(call.env, parent, name, out) != napi_ok) return false;
  return IsObject(call.env, *out) || call.Invalid(path + "." + name + " must be an object");
}

}  // namespace halyard
