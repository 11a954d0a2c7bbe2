# shellcheck shell=bash
# The cache of everything slow that the test machine is made from. Sourced, never run.
#
#   vm_cache                       print the cache folder
#   vm_key TEXT...                 print the key of these inputs
#   vm_cached KIND KEY FUNCTION    print the folder KIND-KEY; build it first with FUNCTION if it is
#                                  not there
#
# FUNCTION is called with the folder to fill (KIND-KEY.tmp, renamed when it returns 0) and a log
# file. One lock per kind: a second run waits for the first and then finds its result. Leftovers of
# builds that failed or were killed go when the next build of the kind starts.

vm_say() { printf 'vm: %s\n' "$*" >&2; }

vm_cache() {
	local dir=${VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir}
	mkdir -p "$dir" || {
		vm_say "cannot make the cache folder $dir; set XDG_CACHE_HOME to a folder you may write"
		return 1
	}
	printf '%s\n' "$dir"
}

vm_key() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

vm_cached() {
	local kind=$1 key=$2 fn=$3 cache dir log
	cache=$(vm_cache) || return
	dir=$cache/$kind-$key
	log=$cache/$kind-$key.log
	if [ ! -d "$dir" ]; then
		(
			exec 9>"$cache/$kind.lock"
			flock -n 9 || { vm_say "another run is building the $kind; waiting for it" && flock 9; }
			[ -d "$dir" ] && exit 0
			rm -rf "$cache/$kind"-*.tmp
			mkdir -p "$dir.tmp"
			"$fn" "$dir.tmp" "$log" 9>&- >&2 && mv -T "$dir.tmp" "$dir" && exit 0
			rm -rf "$dir.tmp"
			vm_say "building the $kind failed; the last lines of $log:"
			tail -n 15 "$log" >&2
			exit 1
		) || return
	fi
	printf '%s\n' "$dir"
}

# vm_pin NAME FUNCTION: what FUNCTION found on the package mirror (versions), kept so that later
# runs need no network and keep their cache when the mirror moves on. VM_REFRESH=1 asks again.
vm_pin() {
	local name=$1 fn=$2 cache pin
	cache=$(vm_cache) || return
	pin=$cache/$name.pin
	if [ ! -s "$pin" ] || [ "${VM_REFRESH:-0}" = 1 ]; then
		(
			exec 9>"$cache/$name.pin.lock"
			flock 9
			[ -s "$pin" ] && [ "${VM_REFRESH:-0}" != 1 ] && exit 0
			"$fn" 9>&- >"$pin.tmp" && [ -s "$pin.tmp" ] && mv "$pin.tmp" "$pin"
		) || return
	fi
	cat "$pin"
}
