# Tests that are no layer's own: the lint, and the mounts. Each layer's unit tests are listed in its src/LAYER/LAYER.mk.
include tests/support/support.mk
EXTRA_DIST += tests/unit/unit.h

dist_check_SCRIPTS += tests/lint/layers.py tests/lint/documentation.py
TESTS += tests/lint/layers.py tests/lint/documentation.py

check_PROGRAMS += tests/lint/print_keys
tests_lint_print_keys_LDADD = $(LINK_base)

# End to end, against real servers on loopback; each needs /dev/fuse and says so where it is missing.
MOUNT_TESTS = \
	tests/mount/test_browse.py \
	tests/mount/test_bytes.py \
	tests/mount/test_change_append.py \
	tests/mount/test_change_capabilities.py \
	tests/mount/test_change_cuts.py \
	tests/mount/test_change_drafts.py \
	tests/mount/test_change_extensions.py \
	tests/mount/test_change_faults.py \
	tests/mount/test_change_flags.py \
	tests/mount/test_change_folders.py \
	tests/mount/test_change_latency.py \
	tests/mount/test_change_move.py \
	tests/mount/test_change_remove.py \
	tests/mount/test_change_together.py \
	tests/mount/test_changes.py \
	tests/mount/test_configuration.py \
	tests/mount/test_crash.py \
	tests/mount/test_ending.py \
	tests/mount/test_events.py \
	tests/mount/test_folders.py \
	tests/mount/test_large.py \
	tests/mount/test_maildir_view.py \
	tests/mount/test_mailfsctl.py \
	tests/mount/test_mailfsctl_outbox.py \
	tests/mount/test_mount8.py \
	tests/mount/test_outbox.py \
	tests/mount/test_outbox_disk.py \
	tests/mount/test_outbox_faults.py \
	tests/mount/test_outbox_kill.py \
	tests/mount/test_restore.py \
	tests/mount/test_sendmail.py \
	tests/mount/test_signin.py \
	tests/mount/test_sizes.py \
	tests/mount/test_stalls.py
dist_check_SCRIPTS += $(MOUNT_TESTS)
TESTS += $(MOUNT_TESTS)

list-tests:
	@printf '%s\n' $(TESTS)
.PHONY: list-tests
