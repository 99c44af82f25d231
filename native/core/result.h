// What a core function gives back: a value, or which operation failed and why. The core throws
// nothing.
#pragma once

#include <cerrno>
#include <optional>
#include <utility>

namespace halyard {

/// A system call that the kernel refused. `operation` is its name and lives for ever.
struct Failure {
  int error = 0;
  const char* operation = "";
};

inline Failure LastFailure(const char* operation) { return {errno, operation}; }

template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}   // NOLINT(google-explicit-constructor)
  Result(Failure failure) : failure_(failure) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  T& value() { return *value_; }
  const Failure& failure() const { return failure_; }

 private:
  std::optional<T> value_;
  Failure failure_;
};

/// Success, or a failure.
using Status = std::optional<Failure>;

/// Repeats a system call that a signal interrupted.
template <class F>
auto RetryInterrupted(F&& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace halyard
