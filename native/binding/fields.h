// Kernel structures as JavaScript objects, by tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "call.h"

namespace halyard {

/// One field: 8 bytes are a bigint, fewer are a number.
struct Field {
  const char* name;
  size_t offset;
  uint8_t bytes;
};

/// The field table's entry for a member that is named alike on both sides.
#define HALYARD_FIELD(type, member) \
  ::halyard::Field { #member, offsetof(type, member), sizeof(type::member) }

/// Reads the fields of an object into a structure. `path` names the object in errors.
bool ReadFields(Call& call, napi_value object, const std::string& path,
                std::span<const Field> fields, void* structure);

Napi::Object MakeObject(Call& call, std::span<const Field> fields, const void* structure);

/// A property that must be an object.
bool ReadObject(Call& call, napi_value parent, const std::string& path, const char* name,
                napi_value* out);

/// The items of a JavaScript array of objects; `each` reads one, and returns false after a refusal.
template <class Each>
bool ReadList(Call& call, size_t index, const char* what, size_t max, Each each) {
  bool is_array = false;
  uint32_t length = 0;
  napi_is_array(call.env, call.Raw(index), &is_array);
  if (is_array) napi_get_array_length(call.env, call.Raw(index), &length);
  if (!is_array || length > max) {
    return call.Invalid(std::string(what) + " must be an array of at most " + std::to_string(max) +
                        " entries");
  }
  for (uint32_t at = 0; at < length; at++) {
    napi_value item = nullptr;
    if (napi_get_element(call.env, call.Raw(index), at, &item) != napi_ok) return false;
    if (!each(item, std::string(what) + "[" + std::to_string(at) + "]")) return false;
  }
  return true;
}

}  // namespace halyard
