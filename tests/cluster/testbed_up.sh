#!/bin/sh
# testbed_up.sh NAME [OPTION...]: builds the testbed and this checkout in it, and boots an instance for cluster tests.
set -eu
testbed=$(dirname "$0")/../../contrib/testbed/testbed
name=$1
shift
suite=
previous=
for word; do
    if [ "$previous" = --suite ]; then suite=$word; fi
    previous=$word
done
"$testbed" image $suite
"$testbed" build $suite
"$testbed" down --name "$name" 2> /dev/null || true
"$testbed" up --name "$name" "$@"
