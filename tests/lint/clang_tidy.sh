#!/bin/sh
# clang_tidy.sh BUILD: clang-tidy over all of src and spank, many files at once, as reading the headers is most of its work.
# What such a heap of files sets off by itself is off: it includes them, and what libseccomp's macros expand to is ours then.
set -eu
cmake -S . -B "$1/tidy" -G Ninja -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 > /dev/null
sed -n 's/^ *"file": "\(.*\)".*/\1/p' "$1/tidy/compile_commands.json" | tr '\n' '\0' |
    xargs -0 -n 1 -P 2 clang-tidy --quiet -p "$1/tidy" --checks=-bugprone-suspicious-include,-clang-analyzer-* \
        --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-c99-extensions --extra-arg=-Wno-missing-field-initializers
