/* SPDX-License-Identifier: BSD-2-Clause */
/* Who looks is a process of its own, since what that one may see is taken from it. */
#include "unit.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fs/holders.h"
#include "scratch.h"

enum answer { NO, YES, CANNOT_ASK };

struct question {
	struct holders_mount mount;
	uint64_t ino;
	pid_t writer;	/* who opened it, and closes */
	bool is_hidden; /* the writer, from who looks */
	bool is_childless;
};

static void ask_about(int fd, struct question *ret)
{
	char path[64], line[128];
	struct stat st;
	FILE *file;

	*ret = (struct question){ .writer = getpid() };
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "mnt_id: %d", &ret->mount.id) == 1)
			break;
	fclose(file);
	assert_int_equal(fstat(fd, &st), 0);
	ret->ino = st.st_ino;
	snprintf(ret->mount.device, sizeof ret->mount.device, "%u:%u", major(st.st_dev), minor(st.st_dev));
}

/* proc(5): hidepid=2 for whoever may not trace. */
static bool hide_others(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, "hidepid=2,gid=4242") < 0 || syscall(SYS_capget, &header, data) < 0)
		return false;
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	return syscall(SYS_capset, &header, data) == 0;
}

static enum answer look(const struct question *q)
{
	struct requester opener;

	if (q->is_hidden && !hide_others())
		return CANNOT_ASK;
	requester_identify(q->writer, &opener);
	if (!q->is_childless)
		opener.newest = 0;
	return holders_write(&q->mount, q->ino, &opener, q->writer) ? YES : NO;
}

static enum answer answer_to(const struct question *q)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(look(q));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Both ways to look must say the same. */
static void assert_answer(struct question *q, enum answer answer)
{
	q->is_childless = false;
	assert_int_equal(answer_to(q), answer);
	q->is_childless = true;
	assert_int_equal(answer_to(q), answer);
}

static int make(void **state, int flags)
{
	int fd = open(scratch_path(state, "file"), flags | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void who_has_it_open_for_writing_is_seen_until_it_is_closed(void **state)
{
	int fd = make(state, O_WRONLY), other = dup(fd);
	struct question q;

	ask_about(fd, &q);
	assert_answer(&q, YES);
	close(fd);
	assert_answer(&q, YES);
	close(other);
	assert_answer(&q, NO);
}

static void who_only_reads_does_not_write(void **state)
{
	int fd = make(state, O_RDONLY);
	struct question q;

	ask_about(fd, &q);
	assert_answer(&q, NO);
	assert_true(holders_exist(&q.mount, q.ino));
	close(fd);
	assert_false(holders_exist(&q.mount, q.ino));
}

struct writer {
	int fd, done, gate; /* done: written to once only the thread is left */
};

static void *write_on(void *userdata)
{
	struct writer *w = userdata;
	char path[64], text[256] = "", c;

	snprintf(path, sizeof path, "/proc/%d/stat", getpid());
	for (int i = 0; i < 1000 && !strstr(text, ") Z "); i++) {
		int stat = open(path, O_RDONLY);

		usleep(1000);
		if (stat < 0 || read(stat, text, sizeof text - 1) < 0)
			_exit(2);
		close(stat);
	}
	if (write(w->done, "d", 1) == 1 && read(w->gate, &c, 1) == 1)
		close(w->fd);
	if (write(w->done, "d", 1) == 1 && read(w->gate, &c, 1) == 1)
		_exit(0);
	_exit(1);
}

static void a_thread_whose_main_thread_has_ended_is_seen(void **state)
{
	int fd = make(state, O_WRONLY), done[2], gate[2], status;
	struct question q;
	char c;

	ask_about(fd, &q);
	assert_int_equal(pipe(done) | pipe(gate), 0);
	q.writer = fork();
	if (q.writer == 0) {
		static struct writer w; /* this stack goes */
		pthread_t thread;

		w = (struct writer){ fd, done[1], gate[0] };
		if (pthread_create(&thread, NULL, write_on, &w) == 0)
			pthread_exit(NULL);
		_exit(3);
	}
	close(fd);
	close(done[1]);
	assert_int_equal(read(done[0], &c, 1), 1);
	assert_answer(&q, YES);
	assert_int_equal(write(gate[1], "g", 1), 1);
	assert_int_equal(read(done[0], &c, 1), 1);
	assert_answer(&q, NO);
	assert_int_equal(write(gate[1], "g", 1), 1);
	assert_int_equal(waitpid(q.writer, &status, 0), q.writer);
	assert_int_equal(status, 0);
	close(done[0]);
	close(gate[0]);
	close(gate[1]);
}

/* Whoever cannot be looked at may write, whether it does or not. */
static void who_is_hidden_may_write(void **state)
{
	int fd = make(state, O_WRONLY);
	struct question q;

	ask_about(fd, &q);
	q.is_hidden = true;
	if (answer_to(&q) == CANNOT_ASK)
		skip(); /* no right to mount a /proc */
	assert_answer(&q, YES);
	close(fd);
	assert_answer(&q, YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(who_has_it_open_for_writing_is_seen_until_it_is_closed),
		scratch_test(who_only_reads_does_not_write),
		scratch_test(a_thread_whose_main_thread_has_ended_is_seen),
		scratch_test(who_is_hidden_may_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
