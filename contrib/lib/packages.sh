# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: BSD-2-Clause
# Which Debian packages building, testing and the demo need, and how to get those that are missing without starting
# or enabling any server. Sourced by contrib/check and contrib/demo.

packages_build='gcc make autoconf automake pkg-config libc6-dev libfuse3-dev libetpan-dev libsasl2-dev libssl-dev
	libcurl4-gnutls-dev libsqlite3-dev libjansson-dev libunistring-dev'
packages_run='fuse3 libsasl2-modules tzdata'
packages_servers='dovecot-imapd dovecot-pop3d dovecot-lmtpd postfix openssl python3'
packages_demo='attr rsync'
packages_check='libcmocka-dev mandoc xz-utils attr rsync isync msmtp procps zip unzip vim-tiny mutt notmuch mblaze
	bsd-mailx git git-email libmailtools-perl'

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

# The lists of a new machine are empty or old. All that it prints is of use only when it fails. No package's installation
# starts a server while there is a policy-rc.d that says no. Runs in a subshell, for the traps.
apt_get_install() (
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	trap 'exit 130' INT TERM HUP
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f "$log"; as_root rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
		as_root chmod 755 /usr/sbin/policy-rc.d
	fi
	if apt_get update >"$log" 2>&1 && apt_get install --no-install-recommends --no-remove "$@" >>"$log" 2>&1; then
		exit 0
	fi
	cat "$log" >&2
	exit 1
)

# Installs what is missing of its arguments. Returns 1, with a line that says what to do, when that fails.
install_packages() {
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "These packages are missing, and there is no apt-get to install them: $missing" >&2
		return 1
	fi
	echo "Installing $missing"
	status=0
	# shellcheck disable=SC2086
	apt_get_install $missing || status=1
	disable_services "$missing"
	[ $status -eq 0 ] || echo "Could not install them; as root: apt-get install $missing" >&2
	return $status
}
