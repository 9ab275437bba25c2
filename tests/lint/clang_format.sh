#!/bin/sh
# Every C++ file as .clang-format wants it. The kernel module follows the kernel's style (contrib/testbed/vhca).
exec find include src spank tests -name '*.[ch]pp' -exec clang-format --dry-run --Werror {} +
