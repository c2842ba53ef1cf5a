/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "smtp_server.h"
#include "tls_server.h"

#include <stdio.h>
#include <unistd.h>

#include "net/smtp.h"

#define HELLO "Subject: hi\r\n\r\nhello\r\n"

/* What a server says differently from the usual, to be used within one function. */
#define RULES(...) ((const struct smtp_rule[]){ __VA_ARGS__, { NULL, NULL, 0 } })

/* A server, a session with it, and what the test sends. */
struct exchange {
	struct smtp_server server;
	struct smtp *session;
	struct smtp_message message;
	struct smtp_result result;
	struct cancel cancel;
	int before_dot_calls, before_dot_error;
};

static int reply_timeout_s = 20; /* unless a test waits for it */

static const char *const one_recipient[] = { "bob@example.com" };
static const char *const three_recipients[] = { "a@example.com", "b@example.com", "c@example.com" };

static int count_call(void *userdata)
{
	struct exchange *e = userdata;

	e->before_dot_calls++;
	return e->before_dot_error;
}

static void open_session(struct exchange *e, struct certificate *certificate)
{
	struct url url = { .protocol = URL_SMTP, .transport = URL_INSECURE, .host = (char *)"127.0.0.1" };
	struct smtp_options options = { .url = &url, .timeout_s = 20, .reply_timeout_s = reply_timeout_s, .cancel = &e->cancel };
	CLEANUP(buf) struct buf why = BUF_INIT;

	assert_int_equal(cancel_init(&e->cancel), 0);
	if (certificate) {
		url.transport = URL_TLS;
		options.tls.fingerprint = certificate->fingerprint;
	}
	smtp_server_start(&e->server);
	url.port = e->server.port;
	assert_int_equal(smtp_open(&options, &e->session, &why), 0);
	e->message.sender = "alice@example.com";
	e->message.recipients = one_recipient;
	e->message.n_recipients = 1;
	e->message.before_dot = count_call;
	e->message.userdata = e;
}

static void start(struct exchange *e, const struct smtp_rule *rules)
{
	*e = (struct exchange){ .server.rules = rules };
	open_session(e, NULL);
}

static void release(struct exchange *e)
{
	smtp_result_release(&e->result);
	buf_release(&e->server.seen);
	cancel_release(&e->cancel);
}

static void stop(struct exchange *e)
{
	smtp_close(e->session);
	smtp_server_stop(&e->server);
	release(e);
}

static int file_of(const void *data, size_t len)
{
	FILE *file = tmpfile();
	int fd = dup(fileno(file));

	fclose(file);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

static int send_bytes(struct exchange *e, const void *data, size_t len)
{
	int r;

	e->message.fd = file_of(data, len);
	e->message.size_bytes = (int64_t)len;
	smtp_result_release(&e->result);
	r = smtp_send(e->session, &e->message, &e->result);
	close(e->message.fd);
	return r;
}

/* The outcome of sending HELLO. */
static enum smtp_outcome send_hello(struct exchange *e)
{
	assert_int_equal(send_bytes(e, HELLO, strlen(HELLO)), 0);
	return e->result.outcome;
}

/* What the server was sent behind EHLO. Stops the exchange but for its buffers. */
static const char *wire(struct exchange *e)
{
	smtp_close(e->session);
	e->session = NULL;
	smtp_server_stop(&e->server);
	return strchr(buf_str(&e->server.seen), '\n') + 1;
}

static void a_message_goes_out_in_one_group_and_is_accepted(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, NULL);
	e.server.holds_replies = true;
	e.message.recipients = three_recipients;
	e.message.n_recipients = 3;
	e.message.eightbit = true;
	e.message.smtputf8 = true;
	e.message.notify = "SUCCESS,FAILURE";
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_int_equal(e.before_dot_calls, 1);
	assert_int_equal(e.result.reply.code, 250);
	assert_string_equal(e.result.reply.enhanced, "2.0.0");
	assert_string_equal(e.result.reply.text, "queued as 42");
	assert_int_equal(e.result.recipients[2].code, 250);
	assert_string_equal(wire(&e), "MAIL FROM:<alice@example.com> SIZE=22 BODY=8BITMIME SMTPUTF8\r\n"
				      "RCPT TO:<a@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@example.com\r\n"
				      "RCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@example.com\r\n"
				      "RCPT TO:<c@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@example.com\r\n"
				      "DATA\r\n" HELLO ".\r\nQUIT\r\n");
	release(&e);
}

/* MAIL and RCPT of a message to `recipient` alone. */
static void expect_envelope(const char *recipient, const struct smtp_message *notices, const char *expected)
{
	struct exchange e;
	char *end;

	start(&e, NULL);
	e.message.recipients = &recipient;
	e.message.smtputf8 = true;
	e.message.notify = notices->notify;
	e.message.ret = notices->ret;
	e.message.envid = notices->envid;
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	wire(&e);
	end = strstr(buf_str(&e.server.seen), "DATA\r\n");
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(strstr(buf_str(&e.server.seen), " SMTPUTF8") + strlen(" SMTPUTF8"), expected);
	release(&e);
}

static void notices_are_asked_for_with_what_the_envelope_is_known_by(void **state)
{
	char too_long[102] = "";

	(void)state;
	expect_envelope(
		"b+c=d@example.com", &(struct smtp_message){ .ret = "HDRS", .envid = "1+=@example.com" },
		" RET=HDRS ENVID=1+2B+3D@example.com\r\nRCPT TO:<b+c=d@example.com> ORCPT=rfc822;b+2Bc+3Dd@example.com\r\n");
	expect_envelope("\"a b\"@example.com", &(struct smtp_message){ .notify = "NEVER" },
			"\r\nRCPT TO:<\"a b\"@example.com> NOTIFY=NEVER ORCPT=rfc822;\"a+20b\"@example.com\r\n");
	/* What the parameters cannot carry is left out of them, and the message goes. */
	memset(too_long, 'x', 101);
	expect_envelope("b\xc3\xbc@example.com", &(struct smtp_message){ .notify = "DELAY", .envid = too_long },
			"\r\nRCPT TO:<b\xc3\xbc@example.com> NOTIFY=DELAY\r\n");
	expect_envelope("b@example.com", &(struct smtp_message){ .envid = "1@example.com" }, "\r\nRCPT TO:<b@example.com>\r\n");
}

static const struct smtp_rule bare_ehlo[] = { { "EHLO", "250 test\r\n", 0 }, { NULL, NULL, 0 } };

static void without_extensions_each_command_waits_and_has_no_parameters(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, bare_ehlo);
	e.message.sender = "";
	e.message.notify = "NEVER";
	e.message.ret = "FULL";
	e.message.envid = "1@example.com";
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_string_equal(wire(&e), "MAIL FROM:<>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n" HELLO ".\r\nQUIT\r\n");
	release(&e);
}

static void several_messages_share_a_session(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_int_equal(e.before_dot_calls, 3);
	stop(&e);
}

/* What is seen of `data` between DATA and the dot. */
static void expect_stuffed(const char *data, const char *expected)
{
	CLEANUP(buf) struct buf whole = BUF_INIT;
	struct exchange e;

	start(&e, NULL);
	assert_int_equal(send_bytes(&e, data, strlen(data)), 0);
	assert_int_equal(e.result.outcome, SMTP_ACCEPTED);
	buf_printf(&whole, "DATA\r\n%sQUIT\r\n", expected);
	assert_string_equal(strstr(wire(&e), "DATA"), buf_str(&whole));
	release(&e);
}

static void dots_are_stuffed_and_the_end_is_a_line_of_its_own(void **state)
{
	(void)state;
	expect_stuffed("", ".\r\n");
	expect_stuffed("no line end", "no line end\r\n.\r\n");
	expect_stuffed(".\r\n", "..\r\n.\r\n");
	expect_stuffed("a\r\n.b\r\n..\r\nc.\r\n", "a\r\n..b\r\n...\r\nc.\r\n.\r\n");
	expect_stuffed("a\r\n.\r\nMAIL FROM:<evil@example.com>\r\n", "a\r\n..\r\nMAIL FROM:<evil@example.com>\r\n.\r\n");
}

static void bare_cr_and_lf_are_refused_before_anything_is_sent(void **state)
{
	static const char *const bad[] = { "a\n.\r\nb", "a\r\n.\nb\r\n", "a\rb\r\n", "a\r\r\n", "end\r", "\n", "a\r.\r\r\n" };
	struct exchange e;

	(void)state;
	start(&e, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(send_bytes(&e, bad[i], strlen(bad[i])), -EINVAL);
	assert_int_equal(e.before_dot_calls, 0);
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_null(strstr(wire(&e), "RSET"));
	release(&e);
}

static void addresses_that_would_break_the_line_are_refused(void **state)
{
	static const char *const bad[] = { "",	    "a\r\nRCPT TO:<b@c>",      "a\n@b", "a b@c", "a>@b",
					   "<a@b>", "j\xc3\xb6rg@example.com", "\x7f@a" };
	struct exchange e;

	(void)state;
	start(&e, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e.message.recipients = &bad[i];
		assert_int_equal(send_bytes(&e, HELLO, strlen(HELLO)), -EINVAL);
		e.message.recipients = one_recipient;
		e.message.sender = *bad[i] ? bad[i] : "\r\n";
		assert_int_equal(send_bytes(&e, HELLO, strlen(HELLO)), -EINVAL);
		e.message.sender = "";
	}
	e.message.n_recipients = 0;
	assert_int_equal(send_bytes(&e, HELLO, strlen(HELLO)), -EINVAL);
	assert_string_equal(wire(&e), "QUIT\r\n");
	release(&e);
}

static void a_file_that_is_too_short_is_eio(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, NULL);
	e.message.fd = file_of(HELLO, strlen(HELLO));
	e.message.size_bytes = 1000;
	assert_int_equal(smtp_send(e.session, &e.message, &e.result), -EIO);
	close(e.message.fd);
	assert_null(e.result.recipients);
	stop(&e);
}

static void what_ehlo_rules_out_is_refused_without_a_byte(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, RULES({ "EHLO", "250-test\r\n250 SIZE 10\r\n", 0 }));
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_int_equal(e.result.reply.code, 552);
	assert_string_equal(e.result.recipients[0].enhanced, "5.3.4");
	assert_string_equal(wire(&e), "QUIT\r\n");
	release(&e);
	start(&e, bare_ehlo);
	e.message.eightbit = true;
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_string_equal(e.result.reply.enhanced, "5.6.3");
	e.message.smtputf8 = true;
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_string_equal(e.result.reply.enhanced, "5.6.7");
	stop(&e);
}

/* HELLO to three recipients under `rules`, with and without pipelining. */
struct expectation {
	enum smtp_outcome outcome;
	int code;
	int recipients[3];
	bool is_usable; /* the session, for a further message */
};

static void expect_over(const struct smtp_rule *rules, bool is_pipelined, const struct expectation *expected)
{
	struct smtp_rule with_ehlo[8] = { { "EHLO", is_pipelined ? "250-test\r\n250 PIPELINING\r\n" : "250 test\r\n", 0 } };
	struct exchange e;

	for (int i = 0; rules[i].prefix; i++)
		with_ehlo[i + 1] = rules[i];
	start(&e, with_ehlo);
	e.message.recipients = three_recipients;
	e.message.n_recipients = 3;
	assert_int_equal(send_hello(&e), expected->outcome);
	assert_int_equal(e.result.reply.code, expected->code);
	assert_true(*e.result.reply.text);
	for (int i = 0; i < 3; i++)
		assert_int_equal(e.result.recipients[i].code, expected->recipients[i]);
	/* The rules count once each: nothing of the first message is in the way of the second. */
	assert_int_equal(send_hello(&e), expected->is_usable ? SMTP_ACCEPTED : SMTP_SESSION);
	stop(&e);
}

static void expect(const struct smtp_rule *rules, struct expectation expected)
{
	expect_over(rules, true, &expected);
	expect_over(rules, false, &expected);
}

static void a_refused_sender_refuses_all(void **state)
{
	static const struct smtp_rule later[] = { { "MAIL", "451 4.3.0 later\r\n", 1 }, { NULL, NULL, 0 } };
	static const struct smtp_rule never[] = { { "MAIL", "550 5.7.1 not you\r\n", 1 },
						  { "RCPT", "503 5.5.1 MAIL first\r\n", 3 },
						  { "DATA", "503 5.5.1 MAIL first\r\n", 1 },
						  { NULL, NULL, 0 } };
	struct expectation refused_later = { SMTP_REFUSED, 451, { 451, 451, 451 }, true };
	struct expectation refused_never = { SMTP_REFUSED, 550, { 550, 550, 550 }, true };

	(void)state;
	expect_over(later, false, &refused_later);
	expect_over(never, true, &refused_never);
}

static void each_recipient_has_its_own_verdict(void **state)
{
	(void)state;
	expect(RULES({ "RCPT TO:<a@", "550 5.1.1 unknown\r\n", 1 }, { "RCPT TO:<c@", "451 4.2.0 later\r\n", 1 }),
	       (struct expectation){ SMTP_ACCEPTED, 250, { 550, 250, 451 }, true });
	expect(RULES({ "RCPT TO:<a@", "550 5.1.1 unknown\r\n", 1 }, { ".", "554 5.6.0 spam\r\n", 1 }),
	       (struct expectation){ SMTP_REFUSED, 554, { 550, 554, 554 }, true });
	expect(RULES({ "RCPT TO:<a@", "251 2.1.5 will forward\r\n", 1 }),
	       (struct expectation){ SMTP_ACCEPTED, 250, { 250, 250, 250 }, true });
}

static void all_recipients_refused_leaves_a_usable_session(void **state)
{
	struct expectation expected = { SMTP_REFUSED, 550, { 550, 550, 550 }, true };

	(void)state;
	expect_over(RULES({ "RCPT", "550 5.1.1 unknown\r\n", 3 }), false, &expected);
	/* DATA, on its way already, refused as it should be. */
	expect_over(RULES({ "RCPT", "550 5.1.1 unknown\r\n", 3 }, { "DATA", "554 5.5.1 no recipients\r\n", 1 }), true, &expected);
}

static void data_accepted_for_nobody_is_ended_by_an_empty_message(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, RULES({ "RCPT", "452 4.5.3 too many\r\n", 1 }, { ".", "554 5.5.1 no recipients\r\n", 1 }));
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_int_equal(e.result.reply.code, 452);
	assert_int_equal(e.before_dot_calls, 0);
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_non_null(strstr(wire(&e), "DATA\r\n.\r\nMAIL"));
	release(&e);
}

static void refused_data_is_reset(void **state)
{
	struct exchange e;

	(void)state;
	expect(RULES({ "DATA", "451 4.3.0 not now\r\n", 1 }), (struct expectation){ SMTP_REFUSED, 451, { 451, 451, 451 }, true });
	start(&e, RULES({ "DATA", "554 5.0.0 never\r\n", 1 }));
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_non_null(strstr(wire(&e), "DATA\r\nRSET\r\nMAIL"));
	release(&e);
	/* A session that cannot be reset is over; the verdict stands. */
	expect(RULES({ "DATA", "554 5.0.0 never\r\n", 1 }, { "RSET", "500 5.5.1 what\r\n", 1 }),
	       (struct expectation){ SMTP_REFUSED, 554, { 554, 554, 554 }, false });
}

static void the_final_dot_decides(void **state)
{
	(void)state;
	expect(RULES({ ".", "554 5.7.1 spam\r\n", 1 }), (struct expectation){ SMTP_REFUSED, 554, { 554, 554, 554 }, true });
	expect(RULES({ ".", "452 4.3.1 full\r\n", 1 }), (struct expectation){ SMTP_REFUSED, 452, { 452, 452, 452 }, true });
	expect(RULES({ ".", "299-odd\r\n299 but fine\r\n", 1 }),
	       (struct expectation){ SMTP_ACCEPTED, 299, { 299, 299, 299 }, true });
}

static void replies_421_and_530_are_about_the_session(void **state)
{
	static const char *const steps[] = { "MAIL", "RCPT", "DATA", "." };

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		expect(RULES({ steps[i], "421 4.3.2 closing\r\n" SMTP_HANG_UP, 1 }),
		       (struct expectation){ SMTP_SESSION, 421, { 0, 0, 0 }, false });
		expect(RULES({ steps[i], "530 5.7.0 sign in first\r\n", 1 }),
		       (struct expectation){ SMTP_SESSION, 530, { 0, 0, 0 }, false });
	}
}

static void a_connection_lost_before_the_dot_is_the_session(void **state)
{
	static const char *const steps[] = { "MAIL", "RCPT", "DATA" };

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		expect(RULES({ steps[i], SMTP_HANG_UP, 1 }), (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
	/* A verdict that was given stays. */
	expect(RULES({ "RCPT TO:<a@", "550 5.1.1 unknown\r\n", 1 }, { "DATA", SMTP_HANG_UP, 1 }),
	       (struct expectation){ SMTP_SESSION, 0, { 550, 0, 0 }, false });
}

static void a_connection_lost_after_the_dot_is_uncertain(void **state)
{
	(void)state;
	expect(RULES({ ".", SMTP_HANG_UP, 1 }), (struct expectation){ SMTP_UNCERTAIN, 0, { 0, 0, 0 }, false });
	expect(RULES({ "RCPT TO:<b@", "550 5.1.1 unknown\r\n", 1 }, { ".", "250-half\r\n" SMTP_HANG_UP, 1 }),
	       (struct expectation){ SMTP_UNCERTAIN, 0, { 0, 550, 0 }, false });
}

static void a_server_that_stalls_times_out(void **state)
{
	struct expectation before = { SMTP_SESSION, 0, { 0, 0, 0 }, false }, after = { SMTP_UNCERTAIN, 0, { 0, 0, 0 }, false };

	(void)state;
	reply_timeout_s = 1;
	expect_over(RULES({ "RCPT", "", 1 }), true, &before);
	expect_over(RULES({ ".", "", 1 }), true, &after);
	reply_timeout_s = 20;
}

static void garbage_is_the_session_or_uncertain(void **state)
{
	(void)state;
	expect(RULES({ "MAIL", "hello?\r\n", 1 }), (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
	expect(RULES({ "RCPT", "250-one\r\n550 two\r\n", 1 }), (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
	expect(RULES({ "RCPT", "354 go on\r\n", 1 }), (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
	expect(RULES({ "DATA", "250 ok\r\n", 1 }), (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
	expect(RULES({ ".", "?\r\n", 1 }), (struct expectation){ SMTP_UNCERTAIN, 0, { 0, 0, 0 }, false });
	expect(RULES({ ".", "354 more\r\n", 1 }), (struct expectation){ SMTP_UNCERTAIN, 0, { 0, 0, 0 }, false });
}

static void an_endless_line_and_an_endless_reply_are_garbage(void **state)
{
	static char line[20000], reply[20000];
	struct expectation expected = { SMTP_SESSION, 0, { 0, 0, 0 }, false };

	(void)state;
	memset(line, 'x', sizeof line - 1);
	memcpy(line, "250 ", 4);
	for (size_t i = 0; i + 8 < sizeof reply; i += 8)
		memcpy(reply + i, "250-ok\r\n", 8);
	expect_over(RULES({ "MAIL", line, 1 }), true, &expected);
	expect_over(RULES({ "MAIL", reply, 1 }), true, &expected);
}

/* In one write with the reply before it: what comes only while the dot is on its way cannot be told from the dot's. */
static void a_reply_out_of_turn_is_never_the_dots(void **state)
{
	(void)state;
	expect(RULES({ "DATA", "354 go on\r\n250 2.0.0 queued\r\n", 1 }, { ".", SMTP_HANG_UP, 1 }),
	       (struct expectation){ SMTP_SESSION, 0, { 0, 0, 0 }, false });
}

/* The message fills all buffers many times over, so that the early reply is there before the last block is sent. */
static void a_refusal_or_an_end_in_the_middle_of_the_message_counts(void **state)
{
	static char lines[20 << 20];
	struct exchange e;

	(void)state;
	for (size_t i = 0; i < sizeof lines; i += 64)
		memcpy(lines + i, "123456789012345678901234567890123456789012345678901234567890..\r\n", 64);
	start(&e, RULES({ "EHLO", "250-test\r\n250 PIPELINING\r\n", 0 }, { "<data>", "552 5.3.4 too large\r\n", 1 }));
	e.server.reads_slowly = true;
	assert_int_equal(send_bytes(&e, lines, sizeof lines), 0);
	assert_int_equal(e.result.outcome, SMTP_REFUSED);
	assert_int_equal(e.result.recipients[0].code, 552);
	assert_int_equal(e.before_dot_calls, 0);
	assert_int_equal(send_hello(&e), SMTP_SESSION);
	stop(&e);
	start(&e, RULES({ "EHLO", "250 test\r\n", 0 }, { "<data>", "421 4.3.2 closing\r\n" SMTP_HANG_UP, 1 }));
	assert_int_equal(send_bytes(&e, lines, sizeof lines), 0);
	assert_int_equal(e.result.outcome, SMTP_SESSION);
	assert_int_equal(e.before_dot_calls, 0);
	stop(&e);
	start(&e, RULES({ "EHLO", "250 test\r\n", 0 }, { "<data>", SMTP_HANG_UP, 1 }));
	assert_int_equal(send_bytes(&e, lines, sizeof lines), 0);
	assert_int_equal(e.result.outcome, SMTP_SESSION);
	assert_int_equal(e.before_dot_calls, 0);
	stop(&e);
}

/* Lines of 64 bytes. */
static void fill(char *lines, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		memcpy(lines + i, "123456789012345678901234567890123456789012345678901234567890..\r\n", 64);
}

static void a_large_message_arrives_over_tls_as_it_is(void **state)
{
	static const struct certificate_template template = { "x", NULL, -1, 1, 0 };
	static char lines[2 << 20];
	struct exchange e = { .server.is_wrapped = true, .server.reads_slowly = true };
	struct certificate c;
	const char *data;

	(void)state;
	fill(lines, sizeof lines);
	certificate_make(&c, &template, NULL);
	e.server.tls = tls_server_context(&c);
	e.server.rules = RULES({ "EHLO", "250-test\r\n250 PIPELINING\r\n", 0 });
	open_session(&e, &c);
	assert_int_equal(send_bytes(&e, lines, sizeof lines), 0);
	assert_int_equal(e.result.outcome, SMTP_ACCEPTED);
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	data = strstr(wire(&e), "DATA\r\n") + 6;
	assert_memory_equal(data, lines, sizeof lines);
	assert_memory_equal(data + sizeof lines, ".\r\nMAIL", 7);
	release(&e);
	SSL_CTX_free(e.server.tls);
	certificate_release(&c);
}

/* Megabytes of commands, each answered at once: both sides write before they have read. */
static void thousands_of_recipients_are_each_answered(void **state)
{
	enum { MANY = 6000 };
	static const char *recipients[MANY];
	struct exchange e = { .server.has_small_buffers = true };
	char reply[61], address[900];

	(void)state;
	snprintf(address, sizeof address, "%0880d@example.com", 0);
	for (size_t i = 0; i < MANY; i++)
		recipients[i] = address;
	snprintf(reply, sizeof reply, "250 %054d\r\n", 0);
	e.server.rules = RULES({ "RCPT", reply, 0 });
	open_session(&e, NULL);
	e.message.recipients = recipients;
	e.message.n_recipients = MANY;
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_int_equal(e.result.recipients[MANY - 1].code, 250);
	stop(&e);
}

static void before_dot_can_stop_the_message(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, NULL);
	e.before_dot_error = -ENOSPC;
	assert_int_equal(send_bytes(&e, HELLO, strlen(HELLO)), -ENOSPC);
	assert_null(e.result.recipients);
	assert_int_equal(send_hello(&e), SMTP_SESSION);
	/* Nor does libcurl say goodbye in the middle of the message. */
	assert_string_equal(strstr(wire(&e), "DATA"), "DATA\r\n");
	release(&e);
}

static void a_server_that_tired_of_waiting_costs_nothing_but_the_session(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, RULES({ ".", "250 2.0.0 queued\r\n421 4.4.2 idle too long\r\n" SMTP_HANG_UP, 1 }));
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	/* The pipelined reply and the 421 came together. */
	assert_int_equal(send_hello(&e), SMTP_SESSION);
	assert_int_equal(e.result.reply.code, 421);
	assert_string_equal(e.result.reply.text, "idle too long");
	stop(&e);
}

static void *cancel_soon(void *cancel)
{
	usleep(50000);
	cancel_set(cancel);
	return NULL;
}

static void cancelling_ends_the_wait_before_the_dot(void **state)
{
	struct exchange e;
	pthread_t thread;

	(void)state;
	start(&e, RULES({ "DATA", "", 1 }));
	pthread_create(&thread, NULL, cancel_soon, &e.cancel);
	assert_int_equal(send_hello(&e), SMTP_SESSION);
	pthread_join(thread, NULL);
	assert_string_equal(e.result.reply.text, strerror(ECANCELED));
	assert_int_equal(send_hello(&e), SMTP_SESSION);
	stop(&e);
}

static void behind_the_dot_the_reply_is_waited_for_a_while(void **state)
{
	struct exchange e;
	pthread_t thread;

	(void)state;
	start(&e, NULL);
	e.server.ponders_ms = 200;
	pthread_create(&thread, NULL, cancel_soon, &e.cancel);
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	pthread_join(thread, NULL);
	stop(&e);

	reply_timeout_s = 1;
	start(&e, RULES({ ".", "", 1 }));
	reply_timeout_s = 20;
	pthread_create(&thread, NULL, cancel_soon, &e.cancel);
	assert_int_equal(send_hello(&e), SMTP_UNCERTAIN);
	pthread_join(thread, NULL);
	stop(&e);
}

/* A message to a server that stops reading, given up once the last block was due, or after half a second. */
struct giving_up {
	struct exchange exchange;
	sem_t dot_is_due, go;
};

static int post_dot(void *dot_is_due)
{
	return sem_post(dot_is_due);
}

static void *cancel_at_the_dot(void *userdata)
{
	struct giving_up *g = userdata;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 500 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	sem_timedwait(&g->dot_is_due, &until);
	return cancel_soon(&g->exchange.cancel);
}

/* The server reads on only when it has been given up, and the session is closed last. What came of the `len` bytes. */
static const char *give_up(SSL_CTX *tls, struct certificate *c, size_t len, struct giving_up *g)
{
	static char lines[16 << 20];
	struct exchange *e = &g->exchange;
	pthread_t canceller;

	*g = (struct giving_up){ .exchange.server = { .is_wrapped = true, .tls = tls, .go = &g->go } };
	sem_init(&g->dot_is_due, 0, 0);
	sem_init(&g->go, 0, 0);
	e->server.rules = RULES({ "EHLO", "250-test\r\n250 PIPELINING\r\n", 0 });
	open_session(e, c);
	e->message.before_dot = post_dot;
	e->message.userdata = &g->dot_is_due;
	fill(lines, len);
	assert_int_equal(pthread_create(&canceller, NULL, cancel_at_the_dot, g), 0);
	assert_int_equal(send_bytes(e, lines, len), 0);
	pthread_join(canceller, NULL);
	sem_post(&g->go);
	usleep(200000); /* the server takes in what the kernel has: now there is room for more */
	return strstr(wire(e), "DATA\r\n") + 6;
}

/*
 * libcurl's TLS keeps the record of 16 KiB that it could not send, and would send it when it is closed: with the end of a message of which it was said that it
 * was not sent, where that is in this record. `room` is what arrives of a large message, with that record where it does leave, so one of two sizes ends in it.
 */
static void what_was_given_up_before_the_dot_does_not_leave_at_the_close(void **state)
{
	static const struct certificate_template template = { "x", NULL, -1, 1, 0 };
	struct giving_up g;
	struct certificate c;
	SSL_CTX *tls;
	size_t room;

	(void)state;
	certificate_make(&c, &template, NULL);
	tls = tls_server_context(&c);
	reply_timeout_s = 1;
	room = strlen(give_up(tls, &c, 16 << 20, &g)) & ~(size_t)63;
	assert_int_equal(g.exchange.result.outcome, SMTP_SESSION);
	release(&g.exchange);
	for (size_t len = room - 8192; len <= room + 8192; len += 16384) {
		bool has_end = strstr(give_up(tls, &c, len, &g), "\r\n.\r\n") != NULL;

		assert_true(g.exchange.result.outcome == SMTP_UNCERTAIN || !has_end);
		release(&g.exchange);
	}
	reply_timeout_s = 20;
	SSL_CTX_free(tls);
	certificate_release(&c);
}

static void too_many_recipients_in_old_words_is_for_later(void **state)
{
	static const char *const recipients[] = { "bob@example.com", "carol@example.com" };
	struct exchange e;

	(void)state;
	start(&e, RULES({ "RCPT TO:<carol", "552 5.5.3 too many\r\n", 0 }));
	e.message.recipients = recipients;
	e.message.n_recipients = 2;
	assert_int_equal(send_hello(&e), SMTP_ACCEPTED);
	assert_int_equal(e.result.recipients[1].code, 452);
	assert_string_equal(e.result.recipients[1].enhanced, "4.5.3");
	stop(&e);
}

static void replies_are_joined_and_made_printable(void **state)
{
	struct exchange e;

	(void)state;
	start(&e, RULES({ ".", "554-5.7.1 one\r\n554-5.7.1 t\x1bwo\r\n554-\r\n554 5.7.10three \xff \xc3\xa9\r\n", 1 },
			{ ".", "554 5.7.1 caf\xc3\xa9\n", 1 }, { ".", "554\r\n", 1 }));
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_string_equal(e.result.reply.enhanced, "5.7.1");
	assert_string_equal(e.result.reply.text, "one t?wo 5.7.10three ? ??");
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_string_equal(e.result.reply.text, "caf\xc3\xa9");
	assert_int_equal(send_hello(&e), SMTP_REFUSED);
	assert_string_equal(e.result.reply.text, "");
	stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_out_in_one_group_and_is_accepted),
		cmocka_unit_test(notices_are_asked_for_with_what_the_envelope_is_known_by),
		cmocka_unit_test(without_extensions_each_command_waits_and_has_no_parameters),
		cmocka_unit_test(several_messages_share_a_session),
		cmocka_unit_test(dots_are_stuffed_and_the_end_is_a_line_of_its_own),
		cmocka_unit_test(bare_cr_and_lf_are_refused_before_anything_is_sent),
		cmocka_unit_test(addresses_that_would_break_the_line_are_refused),
		cmocka_unit_test(a_file_that_is_too_short_is_eio),
		cmocka_unit_test(what_ehlo_rules_out_is_refused_without_a_byte),
		cmocka_unit_test(a_refused_sender_refuses_all),
		cmocka_unit_test(each_recipient_has_its_own_verdict),
		cmocka_unit_test(all_recipients_refused_leaves_a_usable_session),
		cmocka_unit_test(data_accepted_for_nobody_is_ended_by_an_empty_message),
		cmocka_unit_test(refused_data_is_reset),
		cmocka_unit_test(the_final_dot_decides),
		cmocka_unit_test(replies_421_and_530_are_about_the_session),
		cmocka_unit_test(a_connection_lost_before_the_dot_is_the_session),
		cmocka_unit_test(a_connection_lost_after_the_dot_is_uncertain),
		cmocka_unit_test(a_server_that_stalls_times_out),
		cmocka_unit_test(garbage_is_the_session_or_uncertain),
		cmocka_unit_test(an_endless_line_and_an_endless_reply_are_garbage),
		cmocka_unit_test(a_reply_out_of_turn_is_never_the_dots),
		cmocka_unit_test(a_refusal_or_an_end_in_the_middle_of_the_message_counts),
		cmocka_unit_test(a_large_message_arrives_over_tls_as_it_is),
		cmocka_unit_test(thousands_of_recipients_are_each_answered),
		cmocka_unit_test(before_dot_can_stop_the_message),
		cmocka_unit_test(a_server_that_tired_of_waiting_costs_nothing_but_the_session),
		cmocka_unit_test(cancelling_ends_the_wait_before_the_dot),
		cmocka_unit_test(behind_the_dot_the_reply_is_waited_for_a_while),
		cmocka_unit_test(what_was_given_up_before_the_dot_does_not_leave_at_the_close),
		cmocka_unit_test(too_many_recipients_in_old_words_is_for_later),
		cmocka_unit_test(replies_are_joined_and_made_printable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
