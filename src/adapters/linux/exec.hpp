// Starting a program with nothing of ours but what it is given.
#pragma once

#include <span>

namespace cib {

// In a child that only makes system calls: closes every descriptor but these, which it sorts. What else its
// parent has open, locks and sockets, must not stay with it.
void close_all_but(std::span<int> kept);

inline constexpr int first_inherited_fd = 3;
inline constexpr int max_inherited = 4;

// Between fork and exec, of a multi-threaded process too: system calls only. The program has an empty
// environment, /dev/null at 0 to 2, inherited[i] at 3 + i (at most max_inherited), no other descriptor and no
// blocked signal.
// `report` takes the errno of an exec that failed; else it is closed.
[[noreturn]] void exec_clean(const char* path, char* const* argv, std::span<const int> inherited, int report);

}  // namespace cib
