#!/bin/sh
# Runs each fuzz target of the tree for FUZZTIME, one after the other.
set -eu
go list ./... | while read -r pkg; do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "== $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 2s "$pkg" </dev/null
	done
done
