#!/bin/sh
# Builds the testbed and this checkout in it, and boots the instance that serves all cluster tests.
set -eu
testbed=$(dirname "$0")/../../contrib/testbed/testbed
"$testbed" image
"$testbed" build
"$testbed" down --name ctest 2> /dev/null || true
"$testbed" up --name ctest
