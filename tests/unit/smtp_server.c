/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "smtp_server.h"

#include <signal.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static const struct smtp_rule usual[] = {
	{ "CONNECT", "220 test ESMTP\r\n", 0 },
	{ "EHLO",
	  "250-test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-DSN\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n",
	  0 },
	{ "STARTTLS", "220 2.0.0 go ahead\r\n", 0 },
	{ "AUTH", "235 2.7.0 welcome\r\n", 0 },
	{ "MAIL", "250 2.1.0 sender ok\r\n", 0 },
	{ "RCPT", "250 2.1.5 recipient ok\r\n", 0 },
	{ "DATA", "354 go on\r\n", 0 },
	{ "<data>", "", 0 },
	{ ".", "250 2.0.0 queued as 42\r\n", 0 },
	{ "RSET", "250 2.0.0 reset\r\n", 0 },
	{ "QUIT", "221 2.0.0 bye\r\n" SMTP_HANG_UP, 0 },
	{ "", "500 5.5.2 what?\r\n", 0 },
};

static const char *answer(struct smtp_server *s, const char *line)
{
	const struct smtp_rule *rule = s->rules;

	for (int i = 0; rule && rule->prefix; i++, rule++)
		if (!strncmp(line, rule->prefix, strlen(rule->prefix)) && (!rule->times || s->uses[i] < rule->times)) {
			s->uses[i]++;
			return rule->reply;
		}
	for (rule = usual; strncmp(line, rule->prefix, strlen(rule->prefix)); rule++)
		;
	return rule->reply;
}

static ssize_t receive(struct smtp_server *s, char *data, size_t len)
{
	return s->ssl ? SSL_read(s->ssl, data, (int)len) : read(s->fd, data, len);
}

static bool transmit(struct smtp_server *s, const char *data, size_t len)
{
	if (!len)
		return true;
	return (s->ssl ? SSL_write(s->ssl, data, (int)len) : write(s->fd, data, len)) == (ssize_t)len;
}

/* False when the connection is to end. */
static bool say(struct smtp_server *s, const char *reply, bool is_held)
{
	size_t len = strcspn(reply, SMTP_HANG_UP);
	bool goes_on = !reply[len];

	buf_append(&s->held, reply, len);
	if (is_held && goes_on)
		return true;
	goes_on = transmit(s, s->held.data, s->held.len) && goes_on;
	buf_truncate(&s->held, 0);
	return goes_on;
}

static bool start_tls(struct smtp_server *s)
{
	s->ssl = SSL_new(s->tls);
	SSL_set_fd(s->ssl, s->fd);
	return SSL_accept(s->ssl) == 1;
}

/* Takes one line out of `in`, reading more where needed; its length, 0 at the end. */
static size_t take_line(struct smtp_server *s, struct buf *in)
{
	char data[4096], *end;
	ssize_t n;

	while (!(end = in->len ? memchr(in->data, '\n', in->len) : NULL)) {
		n = receive(s, data, sizeof data);
		if (n <= 0)
			return 0;
		buf_append(in, data, (size_t)n);
		buf_append(&s->seen, data, (size_t)n);
	}
	return (size_t)(end - in->data) + 1;
}

static bool take_message(struct smtp_server *s, struct buf *in)
{
	bool is_end = false;

	if (!say(s, answer(s, "<data>"), false))
		return false;
	if (s->reads_slowly)
		usleep(50000);
	if (s->go)
		sem_wait(s->go);
	while (!is_end) {
		size_t len = take_line(s, in);

		if (!len)
			return false;
		is_end = len == 3 && !memcmp(in->data, ".\r\n", 3);
		buf_consume(in, len);
	}
	usleep(s->ponders_ms * 1000);
	return say(s, answer(s, "."), false);
}

static void serve(struct smtp_server *s)
{
	CLEANUP(buf) struct buf in = BUF_INIT;
	bool goes_on = (!s->is_wrapped || start_tls(s)) && say(s, answer(s, "CONNECT"), false);

	while (goes_on) {
		size_t len = take_line(s, &in);
		bool is_data = len && !strncmp(in.data, "DATA", 4), is_starttls = len && !strncmp(in.data, "STARTTLS", 8);
		bool is_held = s->holds_replies && len && (!strncmp(in.data, "MAIL", 4) || !strncmp(in.data, "RCPT", 4));
		const char *reply = len ? answer(s, in.data) : NULL;

		if (!len)
			return;
		buf_consume(&in, len);
		goes_on = say(s, reply, is_held);
		if (goes_on && is_data && *reply == '3')
			goes_on = take_message(s, &in);
		if (goes_on && is_starttls && s->tls && *reply == '2')
			goes_on = start_tls(s);
	}
}

static void *run(void *argument)
{
	struct smtp_server *s = argument;

	while ((s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		serve(s);
		SSL_free(s->ssl);
		s->ssl = NULL;
		close(s->fd);
	}
	return NULL;
}

void smtp_server_start(struct smtp_server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;

	signal(SIGPIPE, SIG_IGN);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->has_small_buffers) {
		setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int));
		setsockopt(s->listener, SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int));
	}
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
	s->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void smtp_server_stop(struct smtp_server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	buf_release(&s->held);
}
