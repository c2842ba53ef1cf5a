# SPDX-License-Identifier: BSD-2-Clause
# The support of tests in Python, and the test of it.
EXTRA_DIST += tests/support/README \
	tests/support/mailtest/__init__.py \
	tests/support/mailtest/certificates.py \
	tests/support/mailtest/changing.py \
	tests/support/mailtest/cutting_proxy.py \
	tests/support/mailtest/holding_proxy.py \
	tests/support/mailtest/dovecot.py \
	tests/support/mailtest/dovecot_config.py \
	tests/support/mailtest/faults.py \
	tests/support/mailtest/folders.py \
	tests/support/mailtest/hiding_proxy.py \
	tests/support/mailtest/janitor.py \
	tests/support/mailtest/kinds_mime.py \
	tests/support/mailtest/kinds_text.py \
	tests/support/mailtest/maildir.py \
	tests/support/mailtest/messages.py \
	tests/support/mailtest/mount.py \
	tests/support/mailtest/observer.py \
	tests/support/mailtest/other_client.py \
	tests/support/mailtest/postfix.py \
	tests/support/mailtest/process.py \
	tests/support/mailtest/proxy.py \
	tests/support/mailtest/scripted_imap.py \
	tests/support/mailtest/scripted_smtp.py \
	tests/support/mailtest/server.py \
	tests/support/mailtest/small_disk.py \
	tests/support/mailtest/submission_faults.py \
	tests/support/mailtest/tap.py \
	tests/support/mailtest/texts.py \
	tests/support/mailtest/utf7.py

dist_check_SCRIPTS += tests/support/selftest.py
TESTS += tests/support/selftest.py
