#!/bin/sh
# clang_tidy.sh BUILD: clang-tidy over what runs as root or in Slurm's processes (of the commands those that want root), two files
# at a time. Without the headers that gcc has precompiled there, which are none for clang; so a file that lacks an include is
# found here too.
set -eu
commands=$(mktemp -d)
trap 'rm -r "$commands"' EXIT
sed 's/ -Winvalid-pch -include [^ ]*cmake_pch.hxx//' "$1/compile_commands.json" > "$commands/compile_commands.json"
{
    find src spank -name '*.cpp' -not -path 'src/cli/*' -print0
    printf 'src/cli/%s.cpp\0' check doctor list reap
} | xargs -0 -n 1 -P 2 clang-tidy --quiet -p "$commands"
