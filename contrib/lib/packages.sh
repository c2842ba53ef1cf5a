# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: BSD-2-Clause
# Which Debian packages building, testing and the demo need, and how to get those that are missing without starting
# or enabling any server. Sourced by contrib/check and contrib/demo.

packages_build='gcc make autoconf automake pkg-config libc6-dev libfuse3-dev libetpan-dev libsasl2-dev libssl-dev
	libcurl4-gnutls-dev libsqlite3-dev libjansson-dev libunistring-dev'
packages_run='fuse3 libsasl2-modules tzdata'
packages_servers='dovecot-imapd dovecot-pop3d dovecot-lmtpd postfix openssl python3'
packages_demo='attr rsync'
packages_check='libcmocka-dev mandoc xz-utils attr rsync isync procps'

# Prints those of its arguments that are not installed, on one line.
missing_packages() {
	for package; do
		case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
		ii*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# No package's installation may start a server while $1 is there.
forbid_services() {
	[ ! -e "$1" ] || return 1
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$1" >/dev/null
	as_root chmod 755 "$1"
}

# Servers that came with this installation do not start at the next boot either.
disable_services() {
	command -v systemctl >/dev/null || return 0
	case " $1 " in *' dovecot-'*) as_root systemctl --quiet disable dovecot.service dovecot.socket 2>/dev/null ;; esac
	case " $1 " in *' postfix '*) as_root systemctl --quiet disable postfix.service 2>/dev/null ;; esac
	return 0
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Installs what is missing of its arguments. Returns 1, with a line that says what to do, when that fails.
install_packages() {
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "These packages are missing, and there is no apt-get to install them: $missing" >&2
		return 1
	fi
	echo "Installing $missing"
	policy=/usr/sbin/policy-rc.d
	forbid_services $policy || policy=
	status=0
	# The lists of a new machine are empty or old.
	# shellcheck disable=SC2086
	{ apt_get update && apt_get install --no-install-recommends --no-remove $missing; } || status=1
	disable_services "$missing"
	[ -z "$policy" ] || as_root rm -f "$policy"
	[ $status -eq 0 ] || echo "Could not install them; as root: apt-get install $missing" >&2
	return $status
}
