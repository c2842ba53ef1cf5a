# Tests that are no layer's own: the lint, and the mounts. Each layer's unit tests are listed in its src/LAYER/LAYER.mk.
EXTRA_DIST += tests/unit/unit.h

dist_check_SCRIPTS += tests/lint/layers.py tests/lint/documentation.py
TESTS += tests/lint/layers.py tests/lint/documentation.py

check_PROGRAMS += tests/lint/print_keys
tests_lint_print_keys_LDADD = $(LINK_base)
