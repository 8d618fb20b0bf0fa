#!/bin/sh
# timed.sh NAME COMMAND...: runs a command and says how long it took, also when it fails.
name=$1
shift
began=$(date +%s)
"$@"
code=$?
printf -- '-- %-12s %4d s%s\n' "$name" $(($(date +%s) - began)) "$([ $code -eq 0 ] || echo '  FAILED')"
exit $code
