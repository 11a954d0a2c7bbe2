#!/usr/bin/env bash
# Install the Debian packages of the named groups (config/packages) that are not there yet.
# usage: config/deps.sh GROUP...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

want=()
for group in "$@"; do
	line=$(awk -v g="$group" '$1 == g { $1 = ""; print }' "$here/packages")
	[ -n "$line" ] || { echo "deps: no group '$group' in config/packages" >&2; exit 2; }
	# shellcheck disable=SC2206
	want+=($line)
done

missing=()
for p in "${want[@]}"; do
	dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || {
	echo "deps: this needs Debian's apt-get; elsewhere install by hand: ${missing[*]}" >&2
	exit 1
}
sudo=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: missing packages: ${missing[*]}; install them as root, or install sudo" >&2
		exit 1
	}
	sudo=(sudo)
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=("${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${install[@]}" >"$log" 2>&1 && exit 0
# The package lists may be old or absent: fetch them and try once more.
"${sudo[@]}" apt-get update -qq >>"$log" 2>&1 || true
"${install[@]}" >>"$log" 2>&1 || {
	tail -n 15 "$log" >&2
	echo "deps: apt-get could not install: ${missing[*]}" >&2
	exit 1
}
