#!/bin/sh
# Every Python file: names that nobody defines or uses, and syntax that this Python lacks.
exec find contrib tests \( -name '*.py' -o -path contrib/testbed/testbed -o -path tests/lib/run_test -o -path tests/mutate -o -path tests/engine_table \
    -o -path '*/bench/cluster/measure' \) -exec /usr/bin/python3 -m pyflakes {} +
