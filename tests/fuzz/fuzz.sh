#!/bin/sh
# Builds one target with clang's libFuzzer and runs it for some seconds from its corpus.
#   fuzz.sh SOURCE_DIR BUILD_DIR TARGET SECONDS
set -eu
source=$1 build=$2 target=$3 seconds=$4
command -v clang++ >/dev/null || { echo "skipped: no clang++"; exit 77; }
[ -f "$build/build.ninja" ] || cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCIB_BUILD_TESTS=ON -DCIB_SANITIZE=fuzzer-no-link,address,undefined
cmake --build "$build" --target "${target}_fuzz" -- -j2
# New inputs go to a directory of this build; what is worth keeping is copied into corpus/ by hand.
mkdir -p "$build/corpus/$target"
[ -w /dev/shm ] && export TMPDIR=/dev/shm  # targets that make files make many
exec "$build/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix="$build/" "$build/corpus/$target" "$source/tests/fuzz/corpus/$target"
