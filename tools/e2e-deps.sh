#!/bin/sh
# e2e-deps.sh check|install: what the end-to-end tests need beside Go. check lists what is missing and exits 2; install
# gets it from Debian's packages, which takes root, and otherwise only says what to do.
set -eu

# One a line: the Debian package, then a command that succeeds once it is there. Debian's Python is named by its path,
# because another python3 earlier in PATH would not see Debian's modules.
needs='curl               curl --version
strace             strace -V
coreutils          sha256sum --version
aria2              aria2c --version
e2fsprogs          mkfs.ext4 -V
xfsprogs           mkfs.xfs -V
iproute2           ip -V
nginx              test -x /usr/sbin/nginx
fitsverify         test -n "$(command -v fitsverify)"
python3-astropy    /usr/bin/python3 -c import\ astropy
python3-astroquery /usr/bin/python3 -c import\ astroquery'

missing() {
	echo "$needs" | while read -r package command; do
		eval "$command" >/dev/null 2>&1 </dev/null || printf '%s ' "$package"
	done
}

gone=$(missing)
[ -n "$gone" ] || exit 0

if [ "$1" = install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	if [ ! -e /usr/sbin/policy-rc.d ]; then # no server that is installed here is to be started
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get update -q
	# shellcheck disable=SC2086 # a list of packages
	apt-get install -q -y --no-install-recommends $gone
	gone=$(missing)
	[ -n "$gone" ] || exit 0
fi
{
	echo "missing for the end-to-end tests: $gone"
	echo "on Debian or Ubuntu, as root: apt-get install --no-install-recommends $gone   (or make e2e-deps)"
} >&2
exit 2
