#!/bin/sh
# clang_analyzer.sh BUILD: the slow part of clang-tidy, over what runs as root or in Slurm's processes (of the commands those
# that want root), two files at a time. Each file for itself and without headers that gcc has precompiled: one that lacks an
# include is found here.
set -eu
cmake -S . -B "$1/analyzer" -G Ninja -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON > /dev/null
{
    find src spank -name '*.cpp' -not -path 'src/cli/*' -print0
    printf 'src/cli/%s.cpp\0' check doctor list reap
} | xargs -0 -n 1 -P 2 clang-tidy --quiet -p "$1/analyzer" '--checks=-*,clang-analyzer-core.*,clang-analyzer-cplusplus.*,clang-analyzer-unix.*'
