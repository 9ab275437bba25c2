#!/bin/sh
# testbed_build.sh SUITE [OPTION...]: makes what nodes of the suite run, and builds this checkout for them.
set -eu
testbed=$(dirname "$0")/../../contrib/testbed/testbed
"$testbed" image "$@"
"$testbed" build "$1"
