# shellcheck shell=bash
# Private apt: packages from Debian suites that this machine does not follow, without touching
# /etc/apt or the system's package state. Sourced, never run.
#
#   apt_mirror                         print the URI of the Debian archive this machine uses
#   apt_private DIR SUITE...           prepare DIR as a private apt for these suites
#   apt_in DIR CMD ARGS...             run apt-get or apt-cache inside it
#   apt_host_need COMMAND=PACKAGE...   install on this machine what is missing
#
# WEIR_DEBIAN_MIRROR names the archive on machines whose own apt settings have none (not Debian).

apt_die() {
	printf 'weir: %s\n' "$*" >&2
	return 1
}

# The archive's address comes from the machine's own settings: an internal mirror stays in use.
apt_mirror() {
	local uri
	if [ -n "${WEIR_DEBIAN_MIRROR:-}" ]; then
		printf '%s\n' "$WEIR_DEBIAN_MIRROR"
		return
	fi
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$3 == "main" && $2 !~ /security/ && ($4 == "Debian" || $4 == "") { print $1; exit }')
	[ -n "$uri" ] || apt_die "this machine's apt settings name no Debian archive;" \
		"set WEIR_DEBIAN_MIRROR to the URI of one (the folder that holds dists/ and pool/)" || return
	printf '%s\n' "$uri"
}

apt_keyring() {
	local k
	for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ -r "$k" ] && printf '%s\n' "$k" && return
	done
	apt_die "no Debian archive keyring in /usr/share/keyrings; install the package debian-archive-keyring"
}

# apt runs here with its own lists, its own cache and an empty package status, so that it answers
# for the suites alone and not for what happens to be installed.
apt_in() {
	local dir=$1 cmd=$2
	shift 2
	"$cmd" -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Sandbox::User=root -o APT::Get::List-Cleanup=false -o Debug::NoLocking=true \
		-o APT::Default-Release= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# A suite that the mirror does not carry is left out, in the open; fails only when none is there.
apt_private() {
	local dir=$1 mirror keyring suite have=0
	shift
	mirror=$(apt_mirror) || return
	keyring=$(apt_keyring) || return
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	: >"$dir/suites"
	for suite; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$dir/sources.list"
		if apt_in "$dir" apt-get -qq --error-on=any update >"$dir/update.log" 2>&1; then
			printf '%s\n' "$suite" >>"$dir/suites"
			have=1
		else
			printf 'weir: the package mirror has no usable suite %s: %s\n' "$suite" \
				"$(grep -m1 '^[EW]:' "$dir/update.log")" >&2
		fi
	done
	[ $have = 1 ] || apt_die "none of the suites $* can be read from $mirror" || return
	while read -r suite; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
	done <"$dir/suites" >"$dir/sources.list"
}

# Each argument is COMMAND=PACKAGE or /FILE=PACKAGE; packages whose command or file is there are
# left alone.
apt_host_need() {
	local pair what missing=() sudo=()
	for pair; do
		what=${pair%%=*}
		case $what in
		/*) [ -e "$what" ] || missing+=("${pair#*=}") ;;
		*) PATH=$PATH:/usr/sbin:/sbin command -v "$what" >/dev/null || missing+=("${pair#*=}") ;;
		esac
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null ||
			apt_die "packages are missing (${missing[*]}) and there is no sudo;" \
				"as root run: apt-get install ${missing[*]}" || return
		sudo=(sudo)
	fi
	printf 'weir: installing %s\n' "${missing[*]}" >&2
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
		"${missing[@]}" >/dev/null 2>&1 && return
	"${sudo[@]}" apt-get -qq update >/dev/null &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
			--no-install-recommends "${missing[@]}" >/dev/null ||
		apt_die "cannot install ${missing[*]}; see apt-get's messages above"
}
