#!/bin/sh
# checkstatic.sh FILE: fails unless FILE is an ELF program that needs no loader and no shared library.
set -eu
if [ "$(uname -s)" != Linux ]; then
	echo "checkstatic: static programs are made on Linux only" >&2
	exit 2
fi
if readelf -lW "$1" | grep -q INTERP || readelf -dW "$1" | grep -q NEEDED; then
	echo "checkstatic: $1 is not static:" >&2
	readelf -dW "$1" | grep NEEDED >&2
	exit 1
fi
"$1" --version
echo "$1 is static"
