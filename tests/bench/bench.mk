# Not part of make check: figures against mbsync, msmtp and a bare socket, on a machine that does nothing else. Each exits 1 when it is over a bound.
BENCHES = tests/bench/bench_read.py tests/bench/bench_list.py tests/bench/bench_change.py tests/bench/bench_send.py
EXTRA_DIST += $(BENCHES) tests/bench/figures.py tests/bench/bare_fetch.py

bench: all
	@$(AM_TESTS_ENVIRONMENT) failed=0; \
	for bench in $(BENCHES); do /usr/bin/python3 $(srcdir)/$$bench || failed=1; done; exit $$failed
.PHONY: bench
