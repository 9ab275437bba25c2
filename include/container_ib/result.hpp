// Errors are values: who must act, the system's errno, the exact cause, and the context added on the way up.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace cib {

// Says who must act on an error, so that a policy can be chosen without reading its text.
enum class Errc {
  bad_config,   // the site's administrator: configuration file or installation
  bad_request,  // the user: option text or an unusable combination
  not_found,    // nothing there that fits: no port, no device, no journal
  unusable,     // there, and no use to this step whoever waits: a port that is down, too few VFs
  in_use,       // another step has it, and will give it back
  changed,      // it changed while it was looked at; to try again at once is worth it
  ended,        // the task that it is about has ended
  peer_gone,    // who was at the other end of a socket has closed it, or ended
  denied,       // not allowed to this caller
  unsupported,  // this kernel, node or version cannot do it
  timed_out,    // a bounded wait ended
  stuck,        // so did one for a process that cannot be ended, which is left behind
  kernel,       // a system call failed; sys_errno says how
  corrupt,      // bytes that no version of this program writes
  bug,          // ours
};

struct [[nodiscard]] Error {
  Errc code = Errc::bug;
  int sys_errno = 0;  // 0 when no system call failed
  std::string what;   // one line: exact cause and operand, without errno text

  // The line that a person reads.
  std::string message() const { return sys_errno ? what + ": " + std::strerror(sys_errno) : what; }

  // Adds what was being done, outermost first: "attach task 3: open /dev/infiniband".
  Error in(const std::string& doing) && {
    what = doing + ": " + what;
    return std::move(*this);
  }
};

inline Error error(Errc code, std::string what, int sys_errno = 0) {
  return Error{code, sys_errno, std::move(what)};
}

// A value or the reason why there is none. Never throws on its own; value() on an error is a programming
// error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T value_or(T other) && { return ok() ? std::move(*this).value() : std::move(other); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success or the reason why not.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

// CIB_TRY(auto x, f()): x = value of f(), or return its error from this function.
#define CIB_TRY(decl, expr) CIB_TRY_(CIB_CONCAT_(cib_result_, __LINE__), decl, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot be in parentheses, nor a name that is made
// here
#define CIB_TRY_(tmp, decl, expr)          \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
// NOLINTEND(bugprone-macro-parentheses)

// CIB_CHECK(f()): return f()'s error from this function, if it has one.
#define CIB_CHECK(expr)                                                              \
  do {                                                                               \
    if (auto cib_status = (expr); !cib_status) return std::move(cib_status).error(); \
  } while (false)

#define CIB_CONCAT_(a, b) CIB_CONCAT2_(a, b)
#define CIB_CONCAT2_(a, b) a##b

}  // namespace cib
