# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds the source tree $1 in the directory $2 with the configure arguments that follow. Sourced by contrib/check, contrib/demo
# and .ci/run.

build() {
	source=$1 directory=$2
	shift 2
	[ -x "$source/configure" ] || (cd "$source" && autoreconf -i) || return 1
	mkdir -p "$directory" || return 1
	if [ ! -f "$directory/Makefile" ]; then
		(cd "$directory" && "$source/configure" --quiet "$@") || return 1
	fi
	make -s -C "$directory" -j"$(nproc)"
}
