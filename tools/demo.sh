#!/bin/sh
# The main job in about half a minute, against a simulated archive on this machine: plan, download, kill it half-way, start
# it again, verify. Everything it makes is in ./demo.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
dir=$root/demo
program=10001

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
show() {
	say "\$ $*"
	"$@"
}
count() { find demo/campaign/JWST -type f 2>/dev/null | wc -l | tr -d ' '; }

rm -rf "$dir"
mkdir -p "$dir"
PATH=$root/bin:$PATH

mastsim --catalog synthetic --observations 40 --scale 100 --rate 12000000 --log "$dir/requests.jsonl" >"$dir/mastsim.out" 2>&1 &
sim=$!
trap 'kill $sim 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
tries=0
until url=$(grep -o 'http://127[.0-9:]*' "$dir/mastsim.out" 2>/dev/null | head -n 1) && [ -n "$url" ]; do
	tries=$((tries + 1))
	[ $tries -le 100 ] || { cat "$dir/mastsim.out"; echo "demo: the simulated archive does not start" >&2; exit 1; }
	sleep 0.1
done
export JWSTBULK_ARCHIVE="$url" JWSTBULK_S3="$url/stpubdata"
echo "A simulated archive, as slow as a home connection, is at $url (process $sim)."

say "\$ jwstbulk get --program $program -d demo/campaign --rate 0"
jwstbulk get --program $program -d demo/campaign --rate 0 &
get=$!
until [ "$(count)" -ge 150 ] || ! kill -0 $get 2>/dev/null; do sleep 0.1; done
say "\$ kill -9 $get      (no warning, no clean-up)"
kill -9 $get 2>/dev/null || true
wait $get 2>/dev/null || true
echo "$(count) files are under their final names, each complete and proven; $(find demo/campaign/.jwstbulk/part -name '*.part' | wc -l | tr -d ' ') were under way."

show jwstbulk run -d demo/campaign --rate 0
show jwstbulk verify -d demo/campaign

say "What is there now"
echo "data       demo/campaign/JWST           $(count) files, $(du -sh demo/campaign/JWST | cut -f1)"
echo "manifest   demo/campaign/manifest.jsonl  $(head -n 1 demo/campaign/manifest.jsonl | grep -o '"root":"[0-9a-f]*"')"
echo "checksums  demo/campaign/SHA256SUMS      (cd demo/campaign && sha256sum -c SHA256SUMS)"
echo "state      demo/campaign/.jwstbulk       jwstbulk status -d demo/campaign"
echo "what the archive was asked: demo/requests.jsonl"
