/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mailbox/events.h"
#include "scratch.h"

static int listen_to(const struct events *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_true(snprintf(address.sun_path, sizeof address.sun_path, "%s", events_path(e)) < (int)sizeof address.sun_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void wait_until_heard(const struct events *e, bool wanted)
{
	for (int i = 0; i < 1000 && events_are_heard(e) != wanted; i++)
		usleep(10 * 1000);
	assert_int_equal(events_are_heard(e), wanted);
}

/* All that comes until the end. */
static size_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, data + len, size - len)) > 0)
		len += (size_t)n;
	return len;
}

static void each_listener_hears_what_is_said_from_then_on(void **state)
{
	struct events *e = NULL;
	int first, second;
	char heard[256];

	assert_int_equal(events_new(*state, &e), 0);
	events_say(e, "nobody hears this");
	first = listen_to(e);
	wait_until_heard(e, true);
	events_say(e, "new %s", "a\nb");
	assert_int_equal(read(first, heard, sizeof heard), 8);
	assert_memory_equal(heard, "new a b\n", 8);
	second = listen_to(e);
	close(first);
	wait_until_heard(e, true);
	events_free(e);
	assert_int_equal(read_all(second, heard, sizeof heard), 0);
	close(second);
}

static void what_was_said_is_delivered_before_the_end(void **state)
{
	struct events *e = NULL;
	char heard[256];
	int fd;

	assert_int_equal(events_new(*state, &e), 0);
	fd = listen_to(e);
	wait_until_heard(e, true);
	events_say(e, "gone x");
	events_say(e, "offline");
	events_free(e);
	assert_int_equal(read_all(fd, heard, sizeof heard), 15);
	assert_memory_equal(heard, "gone x\noffline\n", 15);
	close(fd);
}

static void who_does_not_read_is_given_up_and_stops_nobody(void **state)
{
	struct timespec before, after;
	struct events *e = NULL;
	int fd;

	assert_int_equal(events_new(*state, &e), 0);
	fd = listen_to(e);
	wait_until_heard(e, true);
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 100 * 1000 && events_are_heard(e); i++)
		events_say(e, "new %01000d", i);
	wait_until_heard(e, false);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 10);
	close(fd);
	events_free(e);
}

static void without_a_socket_nothing_is_said(void **state)
{
	(void)state;
	assert_false(events_are_heard(NULL));
	events_say(NULL, "new x");
	events_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(each_listener_hears_what_is_said_from_then_on),
		scratch_test(what_was_said_is_delivered_before_the_end),
		scratch_test(who_does_not_read_is_given_up_and_stops_nobody),
		scratch_test(without_a_socket_nothing_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
