/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend by hand: signs in and does what its arguments say, a line of output for each thing that it is told.
 *
 *	imap_client [-c CA] [-a AUTH] [-t SECONDS] [-q] URL PASSWORD COMMAND…
 *
 *	list | status F | quota | rights F | noop | describe | abilities | find F FIELD MESSAGE-ID | uids F UIDVALIDITY FIRST
 *	sync F [UIDVALIDITY UIDNEXT MODSEQ MESSAGES]
 *	fetch F UIDVALIDITY UID,FIRST:LAST,… | range F UIDVALIDITY UID OFFSET LENGTH | gmail F UIDVALIDITY UID
 *
 *	store F UIDVALIDITY UIDS ADD REMOVE | copy F UIDVALIDITY UIDS TO | move F UIDVALIDITY UIDS TO | expunge F UIDVALIDITY UIDS
 *	append F FILE FLAGS | append8 F FILE FLAGS | appends F FLAGS FILE…
 *	create F | remove F | rename F TO | subscribe F | unsubscribe F
 *	later SECONDS: so much time has passed | until FILE: waits for it | memory: the most that was used, in KiB
 *
 * append8 stores a message that holds NUL. Commands are separated by `--`. With -q, sync and fetch only count. The exit status is 0, or 1 after a line `error ERRNO WORDS`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"

static bool quiet;

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static void print_bytes(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x20 && c != '\\' && c != 0x7f)
			putchar(c);
		else
			printf("\\%02x", c);
	}
}

static void on_alert(void *userdata, const char *text)
{
	(void)userdata;
	printf("alert %s\n", text);
}

/* ------------------------------------------------------------ list */

static int on_folder(void *userdata, const struct backend_folder *f)
{
	static const char *const uses[] = { "", "all", "archive", "drafts", "flagged", "junk", "sent", "trash", "important" };

	(void)userdata;
	printf("folder ");
	print_bytes(f->wire, strlen(f->wire));
	printf(" delimiter=%c prefix=%zu%s%s%s%s%s\n", f->delimiter ? f->delimiter : '-', f->prefix_len,
	       f->attributes & FOLDER_NOSELECT ? " noselect" : "", f->attributes & FOLDER_NOINFERIORS ? " noinferiors" : "",
	       f->attributes & FOLDER_SUBSCRIBED ? " subscribed" : "", f->special_use ? " " : "", uses[f->special_use]);
	return 0;
}

/* ------------------------------------------------------------ sync */

struct counts {
	uint64_t messages, flags, header_bytes, bodies, body_bytes;
};

static void print_status(const char *word, const struct backend_status *s)
{
	printf("%s uidvalidity=%u uidnext=%u messages=%u modseq=%llu%s", word, s->uidvalidity, s->uidnext, s->messages,
	       (unsigned long long)s->highestmodseq, s->read_only ? " read-only" : "");
}

static int on_state(void *userdata, const struct backend_status *s)
{
	(void)userdata;
	print_status("state", s);
	putchar('\n');
	return 0;
}

static int on_message(void *userdata, const struct backend_message *m)
{
	struct counts *counts = userdata;

	counts->messages++;
	counts->header_bytes += m->header_len;
	if (quiet)
		return 0;
	printf("message %u size=%lld date=%lld flags=(%s) header=", m->uid, (long long)m->size_bytes, (long long)m->internaldate_s,
	       m->flags);
	print_bytes(m->header ? m->header : "", m->header_len);
	putchar('\n');
	return 0;
}

static int on_batch(void *userdata, uint32_t uidnext)
{
	(void)userdata;
	if (!quiet)
		printf("batch %u\n", uidnext);
	return 0;
}

static int on_flags(void *userdata, uint32_t uid, const char *flags)
{
	struct counts *counts = userdata;

	counts->flags++;
	if (!quiet)
		printf("flags %u (%s)\n", uid, flags);
	return 0;
}

static int on_present(void *userdata, uint32_t first, uint32_t last)
{
	(void)userdata;
	printf("present %u:%u\n", first, last);
	return 0;
}

static int on_complete(void *userdata, const struct backend_status *s, bool gone_told)
{
	(void)userdata;
	print_status("complete", s);
	printf("%s\n", gone_told ? " gone-told" : "");
	return 0;
}

static int do_sync(struct backend **b, int argc, char **argv)
{
	struct counts counts = { 0 };
	const struct backend_sync_sink sink = { &counts, on_state, on_message, on_batch, on_flags, on_present, on_complete };
	struct backend_known known = { .uidnext = 1, .want_headers = true };
	int64_t begin = clock_monotonic_ms();
	int r;

	if (argc >= 6) {
		known.uidvalidity = number(argv[2]);
		known.uidnext = number(argv[3]);
		known.highestmodseq = strtoull(argv[4], NULL, 10);
		known.messages = number(argv[5]);
	}
	r = backend_sync(b, argv[1], &known, &sink);
	if (quiet)
		printf("counted messages=%llu header-bytes=%llu flags=%llu ms=%lld\n", (unsigned long long)counts.messages,
		       (unsigned long long)counts.header_bytes, (unsigned long long)counts.flags,
		       (long long)(clock_monotonic_ms() - begin));
	return r;
}

/* ------------------------------------------------------------ fetch */

static int on_begin(void *userdata, uint32_t uid, int64_t size)
{
	(void)userdata;
	if (!quiet)
		printf("begin %u size=%lld ", uid, (long long)size);
	return 0;
}

static int on_data(void *userdata, const void *data, size_t len)
{
	struct counts *counts = userdata;

	counts->body_bytes += len;
	if (!quiet)
		print_bytes(data, len);
	return 0;
}

static int on_end(void *userdata, uint32_t uid)
{
	struct counts *counts = userdata;

	counts->bodies++;
	if (!quiet)
		printf(" end %u\n", uid);
	return 0;
}

static size_t read_uids(const char *text, uint32_t **ret)
{
	size_t n = 0;
	unsigned first, last;
	char *copy = strdup(text), *save = NULL, *word;

	*ret = NULL;
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (sscanf(word, "%u:%u", &first, &last) != 2)
			first = last = number(word);
		*ret = realloc(*ret, (n + last - first + 1) * sizeof(**ret));
		for (unsigned uid = first; uid <= last; uid++)
			(*ret)[n++] = uid;
	}
	free(copy);
	return n;
}

static int do_fetch(struct backend **b, int argc, char **argv)
{
	struct counts counts = { 0 };
	const struct backend_fetch_sink sink = { &counts, on_begin, on_data, on_end };
	CLEANUP(free) uint32_t *uids = NULL;
	struct backend_fetch fetch = { .n = read_uids(argv[3], &uids) };
	int64_t begin = clock_monotonic_ms();
	int r;

	fetch.uids = uids;
	if (argc >= 6) {
		fetch.offset = atoll(argv[4]);
		fetch.length = atoll(argv[5]);
	}
	r = backend_fetch(b, argv[1], number(argv[2]), &fetch, &sink);
	if (r < 0 && !quiet)
		putchar('\n'); /* a body may have been cut off */
	if (quiet)
		printf("counted bodies=%llu bytes=%llu ms=%lld\n", (unsigned long long)counts.bodies,
		       (unsigned long long)counts.body_bytes, (long long)(clock_monotonic_ms() - begin));
	return r;
}

/* ------------------------------------------------------------ changes */

static int open_message(const char *path, const char *flags, bool binary, struct backend_append *ret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct backend_append){
		.fd = fd, .size_bytes = st.st_size, .flags = flags, .internaldate_s = 1000000000, .binary = binary
	};
	return 0;
}

static int do_append(struct backend **b, char **argv)
{
	struct backend_append message = { .fd = -1 };
	uint32_t uidvalidity, uid;
	int r;

	r = open_message(argv[2], argv[3], !strcmp(argv[0], "append8"), &message);
	if (r == 0)
		r = backend_append(b, argv[1], &message, &uidvalidity, &uid);
	if (r == 0)
		printf("appended %u uidvalidity=%u\n", uid, uidvalidity);
	close(message.fd);
	return r;
}

static int do_appends(struct backend **b, int argc, char **argv)
{
	size_t n = (size_t)argc - 3;
	CLEANUP(free) struct backend_append *messages = calloc(n + 1, sizeof(*messages));
	CLEANUP(free) uint32_t *uids = calloc(n + 1, sizeof(*uids));
	uint32_t uidvalidity;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = open_message(argv[3 + i], argv[2], false, &messages[i]);
	if (r == 0)
		r = backend_append_many(b, argv[1], messages, n, &uidvalidity, uids);
	for (size_t i = 0; i < n && r == 0; i++)
		printf("appended %u uidvalidity=%u\n", uids[i], uidvalidity);
	for (size_t i = 0; i < n; i++)
		close(messages[i].fd);
	return r;
}

static int do_store(struct backend **b, char **argv)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = read_uids(argv[3], &uids);

	return backend_store(b, argv[1], number(argv[2]), uids, n, argv[4], argv[5]);
}

static int do_copy(struct backend **b, char **argv)
{
	CLEANUP(backend_copied) struct backend_copied copied = { 0 };
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = read_uids(argv[3], &uids);
	int r;

	r = (*argv[0] == 'c' ? backend_copy : backend_move)(b, argv[1], number(argv[2]), uids, n, argv[4], &copied);
	printf("copied done=%zu uidvalidity=%u uids=", copied.done, copied.uidvalidity);
	for (size_t i = 0; copied.uids && i < n; i++)
		printf("%s%u", i ? "," : "", copied.uids[i]);
	putchar('\n');
	return r;
}

static int do_expunge(struct backend **b, char **argv)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = read_uids(argv[3], &uids);

	return backend_expunge(b, argv[1], number(argv[2]), uids, n);
}

static int do_uids(struct backend **b, char **argv)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0;
	int r = backend_uids_from(b, argv[1], number(argv[2]), number(argv[3]), &uids, &n);

	for (size_t i = 0; i < n; i++)
		printf("exists %u\n", uids[i]);
	return r;
}

static int do_abilities(struct backend **b)
{
	unsigned can = backend_abilities(*b);

	printf("abilities%s%s%s%s limit=%lld\n", can & BACKEND_MOVE ? " move" : "", can & BACKEND_EXPUNGE_UID ? " expunge-uid" : "",
	       can & BACKEND_APPEND_MANY ? " append-many" : "", can & BACKEND_BINARY ? " binary" : "",
	       (long long)backend_append_limit(*b));
	return 0;
}

/* ------------------------------------------------------------ the others */

static int64_t later_ms;

static int64_t later(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000 + later_ms;
}

static int do_later(const char *seconds)
{
	later_ms += atoll(seconds) * 1000;
	clock_replace(later, NULL);
	return 0;
}

static int do_until(const char *path)
{
	while (access(path, F_OK) < 0)
		usleep(10000);
	return 0;
}

/* What getrusage() tells includes the program that started this one. */
static int do_memory(void)
{
	CLEANUP(free) char *line = NULL;
	FILE *file = fopen("/proc/self/status", "re");
	size_t cap = 0;
	long kib;

	while (file && getline(&line, &cap, file) > 0)
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			printf("memory %ld\n", kib);
	return file ? fclose(file) : -errno;
}

static int do_find(struct backend **b, char **argv)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0;
	int r = backend_search_message_id(b, argv[1], argv[2], argv[3], &uids, &n);

	for (size_t i = 0; i < n; i++)
		printf("found %u\n", uids[i]);
	return r;
}

static int do_quota(struct backend **b)
{
	struct backend_quota q;
	int r = backend_quota(b, &q);

	if (r == 0)
		printf("quota bytes=%lld/%lld messages=%lld/%lld\n", (long long)q.used_bytes, (long long)q.limit_bytes,
		       (long long)q.used_messages, (long long)q.limit_messages);
	return r;
}

static int do_gmail(struct backend **b, char **argv)
{
	struct backend_gmail g = { .labels = BUF_INIT };
	int r = backend_gmail(b, argv[1], number(argv[2]), number(argv[3]), &g);

	if (r == 0)
		printf("gmail message=%llu thread=%llu labels=%s\n", (unsigned long long)g.message_id,
		       (unsigned long long)g.thread_id, buf_str(&g.labels));
	buf_release(&g.labels);
	return r;
}

static int do_status(struct backend **b, char **argv)
{
	struct backend_status s;
	int r = backend_status(b, argv[1], &s);

	if (r == 0) {
		print_status("status", &s);
		printf(" unseen=%u\n", s.unseen);
	}
	return r;
}

static int do_text(struct backend **b, char **argv)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = strcmp(argv[0], "rights") ? backend_describe(b, &text) : backend_rights(b, argv[1], &text);

	if (r == 0)
		printf("%s\n", buf_str(&text));
	return r;
}

static int no_command(const char *name)
{
	fprintf(stderr, "no such command: %s\n", name);
	exit(2);
}

static int do_change(struct backend **b, int argc, char **argv)
{
	const char *name = argv[0];

	if ((!strcmp(name, "append") || !strcmp(name, "append8")) && argc == 4)
		return do_append(b, argv);
	if (!strcmp(name, "appends") && argc >= 3)
		return do_appends(b, argc, argv);
	if (!strcmp(name, "store") && argc == 6)
		return do_store(b, argv);
	if ((!strcmp(name, "copy") || !strcmp(name, "move")) && argc == 5)
		return do_copy(b, argv);
	if (!strcmp(name, "expunge") && argc == 4)
		return do_expunge(b, argv);
	if (!strcmp(name, "remove") && argc == 2)
		return backend_remove(b, argv[1]);
	if (!strcmp(name, "rename") && argc == 3)
		return backend_rename(b, argv[1], argv[2]);
	if ((!strcmp(name, "subscribe") || !strcmp(name, "unsubscribe")) && argc == 2)
		return backend_subscribe(b, argv[1], *name == 's');
	if (!strcmp(name, "create") && argc == 2)
		return backend_create(b, argv[1], USE_NONE);
	return no_command(name);
}

static int do_command(struct backend **b, int argc, char **argv)
{
	const char *name = argv[0];

	if (!strcmp(name, "list"))
		return backend_list(b, on_folder, NULL);
	if (!strcmp(name, "sync") && argc >= 2)
		return do_sync(b, argc, argv);
	if ((!strcmp(name, "fetch") && argc == 4) || (!strcmp(name, "range") && argc == 6))
		return do_fetch(b, argc, argv);
	if (!strcmp(name, "uids") && argc == 4)
		return do_uids(b, argv);
	if (!strcmp(name, "abilities"))
		return do_abilities(b);
	if (!strcmp(name, "later") && argc == 2)
		return do_later(argv[1]);
	if (!strcmp(name, "until") && argc == 2)
		return do_until(argv[1]);
	if (!strcmp(name, "memory"))
		return do_memory();
	if (!strcmp(name, "find") && argc == 4)
		return do_find(b, argv);
	if (!strcmp(name, "quota"))
		return do_quota(b);
	if (!strcmp(name, "gmail") && argc == 4)
		return do_gmail(b, argv);
	if (!strcmp(name, "status") && argc == 2)
		return do_status(b, argv);
	if (!strcmp(name, "noop"))
		return backend_noop(b);
	if (!strcmp(name, "describe") || (!strcmp(name, "rights") && argc == 2))
		return do_text(b, argv);
	return do_change(b, argc, argv);
}

static int fail(int r, const char *why)
{
	printf("error %s %s\n", strerrorname_np(-r), why);
	return 1;
}

static int run(const struct backend_options *options, int argc, char **argv)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct backend *b;
	int r, status = 0;

	r = backend_open(backend_for(options->url), options, &b, &why);
	if (r < 0)
		return fail(r, buf_str(&why));
	for (int i = 0, n; i < argc; i += n + 1) {
		for (n = 0; i + n < argc && strcmp(argv[i + n], "--"); n++)
			;
		r = do_command(&b, n, argv + i);
		if (r < 0)
			status = fail(r, backend_why(b));
		fflush(stdout);
	}
	backend_close(b);
	return status;
}

int main(int argc, char **argv)
{
	struct backend_options options = { .auth = "auto", .timeout_s = 15, .alert = on_alert };
	struct secret_source source = { 0 };
	struct secret *secret;
	struct url url = { 0 };
	const char *why;
	int option, status;

	while ((option = getopt(argc, argv, "+c:a:t:qd")) != -1) {
		if (option == 'c')
			options.tls.ca = optarg;
		else if (option == 'a')
			options.auth = optarg;
		else if (option == 't')
			options.timeout_s = atoi(optarg);
		else if (option == 'q')
			quiet = true;
		else if (option == 'd')
			log_open(false, LOG_LEVEL_DEBUG);
		else
			return 2;
	}
	if (argc - optind < 2 || url_parse(argv[optind], &url, &why) < 0)
		return 2;
	source.literal = argv[optind + 1];
	if (secret_new(&source, "password", &secret) < 0)
		return 2;
	options.url = &url;
	options.user = url.user;
	options.secret = secret;
	status = run(&options, argc - optind - 2, argv + optind + 2);
	secret_free(secret);
	url_release(&url);
	return status;
}
