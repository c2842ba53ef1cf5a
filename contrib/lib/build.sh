# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds the source tree $1 in the directory $2 with the configure arguments that follow. Sourced by contrib/check, contrib/demo
# and .ci/run.

# autoreconf names each file that it makes: of interest when it fails only.
prepare() (
	cd "$1" || exit 1
	autoreconf -i >/dev/null 2>&1 || autoreconf -i
)

build() {
	source=$1 directory=$2
	shift 2
	[ -x "$source/configure" ] || prepare "$source" || return 1
	mkdir -p "$directory" || return 1
	if [ ! -f "$directory/Makefile" ]; then
		(cd "$directory" && "$source/configure" --quiet "$@") || return 1
	fi
	make -s -C "$directory" -j"$(nproc)"
}
