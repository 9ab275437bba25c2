#!/bin/sh
# testbed_up.sh NAME [OPTION...]: boots an instance anew, whatever of that name was left.
set -eu
testbed=$(dirname "$0")/../../contrib/testbed/testbed
"$testbed" down --name "$1" 2> /dev/null || true
exec "$testbed" up --name "$@"
