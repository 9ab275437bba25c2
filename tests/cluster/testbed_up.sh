#!/bin/sh
# testbed_up.sh NAME [OPTION...]: builds the testbed and this checkout in it, and boots an instance for cluster tests.
set -eu
testbed=$(dirname "$0")/../../contrib/testbed/testbed
name=$1
shift
"$testbed" image
"$testbed" build
"$testbed" down --name "$name" 2> /dev/null || true
"$testbed" up --name "$name" "$@"
