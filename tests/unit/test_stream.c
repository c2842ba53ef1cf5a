/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "tls_server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/stream.h"

DEFINE_CLEANUP(stream, struct stream *, stream_free)

/* A stream of `timeout_s` and the peer's end of it. */
static struct stream *paired(int timeout_s, const struct cancel *cancel, int *ret_peer)
{
	struct stream *s;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(stream_from_socket(pair[0], timeout_s, cancel, &s), 0);
	*ret_peer = pair[1];
	return s;
}

static int listening(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void a_name_with_several_addresses_connects_to_the_one_that_listens(void **state)
{
	CLEANUP(stream) struct stream *s = NULL;
	CLEANUP(buf) struct buf why = BUF_INIT;
	uint16_t port;
	int fd = listening(&port);

	(void)state;
	/* ::1 refuses where localhost has it. */
	assert_int_equal(stream_connect("localhost", port, 20, NULL, &s, &why), 0);
	assert_false(stream_is_tls(s));
	assert_null(stream_tls_description(s));
	close(fd);
}

static void a_refused_connection_says_where(void **state)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	char expected[64];
	struct stream *s;
	uint16_t port;

	(void)state;
	close(listening(&port));
	assert_int_equal(stream_connect("127.0.0.1", port, 20, NULL, &s, &why), -ECONNREFUSED);
	snprintf(expected, sizeof expected, "127.0.0.1:%u: Connection refused", port);
	assert_string_equal(buf_str(&why), expected);
}

static void a_name_that_does_not_exist_is_unreachable(void **state)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct stream *s;

	(void)state;
	assert_int_equal(stream_connect("no-such-host.invalid", 993, 20, NULL, &s, &why), -EHOSTUNREACH);
	assert_non_null(strstr(buf_str(&why), "no-such-host.invalid: "));
}

/* Connects until the listener's queue is full, so that one more stays unanswered; what the last one came to. */
static int connect_until_one_waits(int timeout_s, struct cancel *cancel)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct stream *others[8] = { NULL }, *s = NULL;
	uint16_t port;
	int fd = listening(&port), n = 0, r;

	assert_int_equal(listen(fd, 0), 0);
	while ((r = stream_connect("127.0.0.1", port, timeout_s, cancel, &s, &why)) == 0) {
		assert_true(n < 8);
		others[n++] = s;
	}
	assert_true(why.len > 0);
	while (n)
		stream_free(others[--n]);
	close(fd);
	return r;
}

static void a_server_that_never_accepts_times_out(void **state)
{
	int64_t began_ms = clock_monotonic_ms();

	(void)state;
	assert_int_equal(connect_until_one_waits(1, NULL), -ETIMEDOUT);
	assert_in_range(clock_monotonic_ms() - began_ms, 900, 15000);
}

static void *cancel_soon(void *cancel)
{
	usleep(20000);
	cancel_set(cancel);
	return NULL;
}

static void cancelling_ends_the_wait_for_a_server_that_never_accepts(void **state)
{
	int64_t began_ms = clock_monotonic_ms();
	struct cancel cancel;
	pthread_t thread;

	(void)state;
	assert_int_equal(cancel_init(&cancel), 0);
	pthread_create(&thread, NULL, cancel_soon, &cancel);
	assert_int_equal(connect_until_one_waits(30, &cancel), -ECANCELED);
	assert_true(clock_monotonic_ms() - began_ms < 5000);
	pthread_join(thread, NULL);
	cancel_release(&cancel);
}

static void silence_times_out_and_bytes_do_not(void **state)
{
	int peer;
	CLEANUP(stream) struct stream *s = paired(1, NULL, &peer);
	char data[16];

	(void)state;
	assert_int_equal(write(peer, "* OK\r\n", 6), 6);
	assert_int_equal(stream_read(s, data, sizeof data), 6);
	assert_int_equal(stream_read(s, data, sizeof data), -ETIMEDOUT);
	assert_int_equal(stream_wait(s, 0), 0);
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(stream_wait(s, -1), 1);
	assert_int_equal(stream_read(s, data, sizeof data), 1);
	close(peer);
	assert_int_equal(stream_wait(s, 1000), 1);
	assert_int_equal(stream_read(s, data, sizeof data), 0);
}

static void a_peer_that_reads_nothing_times_a_writer_out(void **state)
{
	static const char zeros[1 << 20];
	int peer;
	CLEANUP(stream) struct stream *s = paired(1, NULL, &peer);

	(void)state;
	assert_int_equal(stream_write(s, zeros, sizeof zeros), -ETIMEDOUT);
	close(peer);
}

static void writing_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
	int peer;
	CLEANUP(stream) struct stream *s = paired(1, NULL, &peer);

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	close(peer);
	assert_int_equal(stream_write(s, "x", 1), -ECONNRESET);
}

static void expect_cancel_wakes(ssize_t (*call)(struct stream *s))
{
	struct cancel cancel;
	struct stream *s;
	int64_t began_ms = clock_monotonic_ms();
	pthread_t thread;
	char byte;
	int peer;

	assert_int_equal(cancel_init(&cancel), 0);
	s = paired(30, &cancel, &peer);
	pthread_create(&thread, NULL, cancel_soon, &cancel);
	assert_int_equal(call(s), -ECANCELED);
	assert_true(clock_monotonic_ms() - began_ms < 5000);
	pthread_join(thread, NULL);
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(stream_read(s, &byte, 1), -ECANCELED);
	assert_int_equal(stream_write(s, "x", 1), -ECANCELED);
	assert_int_equal(stream_wait(s, 0), -ECANCELED);
	stream_free(s);
	close(peer);
	cancel_release(&cancel);
}

static ssize_t read_a_byte(struct stream *s)
{
	char byte;

	return stream_read(s, &byte, 1);
}

static ssize_t write_a_lot(struct stream *s)
{
	static const char zeros[1 << 20];

	return stream_write(s, zeros, sizeof zeros);
}

static ssize_t wait_for_ever(struct stream *s)
{
	return stream_wait(s, -1);
}

static ssize_t shake_hands(struct stream *s)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct tls_options options = { 0 };

	return stream_start_tls(s, "imap.example.com", &options, &why);
}

static void cancelling_wakes_whoever_waits(void **state)
{
	(void)state;
	expect_cancel_wakes(read_a_byte);
	expect_cancel_wakes(write_a_lot);
	expect_cancel_wakes(wait_for_ever);
	expect_cancel_wakes(shake_hands);
}

static void say_hello_and_stop(SSL *ssl, void *userdata)
{
	char line[8];

	(void)userdata;
	SSL_read(ssl, line, sizeof line);
	SSL_write(ssl, "hello world", 11);
	SSL_read(ssl, line, sizeof line);
}

static void waiting_sees_what_tls_has_decrypted_and_no_bare_tickets(void **state)
{
	static const struct certificate_template template = { "x", NULL, -1, 1, 0 };
	struct tls_server server = { .speak = say_hello_and_stop };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct tls_options options = { 0 };
	struct certificate c;
	struct stream *s;
	char data[5];

	(void)state;
	certificate_make(&c, &template, NULL);
	server.context = tls_server_context(&c);
	options.fingerprint = c.fingerprint;
	assert_int_equal(stream_from_socket(tls_server_start(&server), 20, NULL, &s), 0);
	assert_int_equal(stream_start_tls(s, "imap.example.com", &options, &why), 0);
	assert_non_null(strstr(stream_tls_description(s), "TLSv1.3"));
	/* The server's session tickets are on the wire by now or soon: bytes, but nothing to read. */
	assert_int_equal(stream_wait(s, 50), 0);
	assert_int_equal(stream_write(s, "x", 1), 0);
	assert_int_equal(stream_read(s, data, sizeof data), 5);
	assert_int_equal(stream_wait(s, 0), 1);
	assert_int_equal(stream_read(s, data, sizeof data), 5);
	stream_free(s);
	tls_server_stop(&server);
	SSL_CTX_free(server.context);
	certificate_release(&c);
}

/* Both sides talk and neither reads, until this one hears that there is something to read. */
static void a_writer_of_some_hears_the_peer_before_and_while_it_cannot_write(void **state)
{
	static const char zeros[1 << 16];
	struct cancel cancel;
	struct stream *s;
	ssize_t n = 1;
	char byte;
	int peer;

	(void)state;
	assert_int_equal(cancel_init(&cancel), 0);
	s = paired(1, &cancel, &peer);
	assert_true(stream_write_some(s, "x", 1) == 1);
	assert_int_equal(write(peer, "y", 1), 1);
	assert_true(stream_write_some(s, "x", 1) == 0);
	assert_int_equal(stream_read(s, &byte, 1), 1);
	while (n > 0)
		n = stream_write_some(s, zeros, sizeof zeros);
	assert_true(n == -ETIMEDOUT);
	assert_int_equal(write(peer, "z", 1), 1);
	assert_true(stream_write_some(s, zeros, sizeof zeros) == 0);
	close(peer);
	assert_int_equal(stream_read(s, &byte, 1), 1);
	assert_true(stream_write_some(s, "x", 1) <= 0);
	cancel_set(&cancel);
	assert_true(stream_write_some(s, "x", 1) == -ECANCELED);
	stream_free(s);
	cancel_release(&cancel);
}

enum { TALK_BYTES = 8 << 20 };

/* Says much before it reads anything, then expects as much. */
static void talk_first(SSL *ssl, void *userdata)
{
	static char block[1 << 16];
	size_t *heard = userdata;
	int n;

	for (size_t said = 0; said < TALK_BYTES; said += sizeof block)
		if (SSL_write(ssl, block, sizeof block) <= 0)
			return;
	while (*heard < TALK_BYTES && (n = SSL_read(ssl, block, sizeof block)) > 0)
		*heard += (size_t)n;
}

static void with_tls_two_that_talk_at_once_do_not_wait_for_each_other(void **state)
{
	static const struct certificate_template template = { "x", NULL, -1, 1, 0 };
	static char block[1 << 16], received[1 << 16];
	size_t heard = 0, sent = 0, got = 0;
	struct tls_server server = { .speak = talk_first, .userdata = &heard };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct tls_options options = { 0 };
	struct certificate c;
	struct stream *s;

	(void)state;
	certificate_make(&c, &template, NULL);
	server.context = tls_server_context(&c);
	options.fingerprint = c.fingerprint;
	assert_int_equal(stream_from_socket(tls_server_start(&server), 20, NULL, &s), 0);
	assert_int_equal(stream_start_tls(s, "imap.example.com", &options, &why), 0);
	while (sent < TALK_BYTES) {
		size_t left = TALK_BYTES - sent;
		ssize_t n = stream_write_some(s, block, left < sizeof block ? left : sizeof block);

		assert_true(n >= 0);
		sent += (size_t)n;
		if (n)
			continue;
		n = stream_read(s, received, sizeof received);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, TALK_BYTES);
	stream_free(s);
	tls_server_stop(&server);
	assert_int_equal(heard, TALK_BYTES);
	SSL_CTX_free(server.context);
	certificate_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_with_several_addresses_connects_to_the_one_that_listens),
		cmocka_unit_test(a_refused_connection_says_where),
		cmocka_unit_test(a_name_that_does_not_exist_is_unreachable),
		cmocka_unit_test(a_server_that_never_accepts_times_out),
		cmocka_unit_test(cancelling_ends_the_wait_for_a_server_that_never_accepts),
		cmocka_unit_test(silence_times_out_and_bytes_do_not),
		cmocka_unit_test(a_peer_that_reads_nothing_times_a_writer_out),
		cmocka_unit_test(writing_to_a_closed_peer_is_an_error_and_no_signal),
		cmocka_unit_test(cancelling_wakes_whoever_waits),
		cmocka_unit_test(a_writer_of_some_hears_the_peer_before_and_while_it_cannot_write),
		cmocka_unit_test(with_tls_two_that_talk_at_once_do_not_wait_for_each_other),
		cmocka_unit_test(waiting_sees_what_tls_has_decrypted_and_no_bare_tickets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
