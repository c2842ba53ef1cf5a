/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailfs_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/configuration.h"

static int set_config(struct arguments *a, const char *value)
{
	a->config = value;
	return 0;
}

static int parse_number(const char *text, int base, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, base);
	return errno || end == text || *end || *text == '-' || *ret > max ? -EINVAL : 0;
}

static int set_uid(struct arguments *a, const char *value)
{
	unsigned long n;
	int r = parse_number(value, 10, 0xfffffffe, &n);

	a->uid = (uid_t)n;
	return r;
}

static int set_gid(struct arguments *a, const char *value)
{
	unsigned long n;
	int r = parse_number(value, 10, 0xfffffffe, &n);

	a->gid = (gid_t)n;
	return r;
}

static int set_umask(struct arguments *a, const char *value)
{
	unsigned long n;
	int r = parse_number(value, 8, 0777, &n);

	a->umask = (mode_t)n;
	return r;
}

static int set_read_only(struct arguments *a, const char *value)
{
	(void)value;
	a->read_only = true;
	return 0;
}

static int set_delay_connect(struct arguments *a, const char *value)
{
	(void)value;
	a->delay_connect = true;
	return 0;
}

static int set_allow_other(struct arguments *a, const char *value)
{
	(void)value;
	a->allow_other = true;
	return 0;
}

static int accept_it(struct arguments *a, const char *value)
{
	(void)a, (void)value;
	return 0;
}

/* -o options that are the mount's own. */
static const struct {
	const char *name;
	const char *wants; /* the value, in words; NULL: none */
	int (*set)(struct arguments *a, const char *value);
} mount_options[] = {
	{ "allow_other", NULL, set_allow_other },
	{ "config", "the file's name", set_config },
	{ "default_permissions", NULL, accept_it },
	{ "delay_connect", NULL, set_delay_connect },
	{ "gid", "a number", set_gid },
	{ "ro", NULL, set_read_only },
	{ "rw", NULL, accept_it },
	{ "uid", "a number", set_uid },
	{ "umask", "an octal number", set_umask },
};

/* What mount(8) and fstab(5) add; those for the kernel go on to it, the others are theirs alone. */
static const char *const kernel_options[] = { "noatime", "atime", "nodev", "dev",   "noexec", "exec",
					      "nosuid",	 "suid",  "sync",  "async", "dirsync" };
static const char *const fstab_options[] = { "auto",	      "noauto",	    "user",	  "nouser",	"users",
					     "owner",	      "group",	    "_netdev",	  "nofail",	"defaults",
					     "relatime",      "norelatime", "diratime",	  "nodiratime", "strictatime",
					     "nostrictatime", "lazytime",   "nolazytime", "silent",	"loud" };

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof(list) / sizeof *(list))

static int add_key(struct arguments *a, const char *option)
{
	char **keys = reallocarray(a->keys, a->n_keys + 1, sizeof *keys);

	if (!keys)
		return -ENOMEM;
	a->keys = keys;
	keys[a->n_keys] = strdup(option);
	return keys[a->n_keys++] ? 0 : -ENOMEM;
}

static int add_kernel(struct arguments *a, const char *option)
{
	int r = a->kernel.len ? buf_append_char(&a->kernel, ',') : 0;

	return r < 0 ? r : buf_append_str(&a->kernel, option);
}

/* One option, its value cut off behind `name`. The text lives as long as argv. */
static int take_option(struct arguments *a, char *option, struct buf *why)
{
	char *equals = strchr(option, '=');
	CLEANUP(free) char *name = equals ? strndup(option, (size_t)(equals - option)) : strdup(option);
	int r;

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof mount_options / sizeof *mount_options; i++) {
		if (strcmp(name, mount_options[i].name))
			continue;
		r = !mount_options[i].wants == !equals ? mount_options[i].set(a, equals ? equals + 1 : NULL) : -EINVAL;
		if (r < 0 && mount_options[i].wants)
			buf_printf(why, "-o %s: write %s behind %s=", option, mount_options[i].wants, name);
		else if (r < 0)
			buf_printf(why, "-o %s: it takes no value", option);
		return r;
	}
	if (IS_ONE_OF(option, kernel_options))
		return add_kernel(a, option);
	if (IS_ONE_OF(option, fstab_options) || !strncmp(option, "x-", 2) || !strcmp(name, "comment"))
		return 0;
	if (configuration_is_key(name))
		return add_key(a, option);
	buf_printf(why, "-o %s: no such option; mailfs(1) and mailfs.conf(5) list them", name);
	return -EINVAL;
}

/* Comma-separated; a comma within a value is written \, as for sshfs. */
static int take_options(struct arguments *a, char *text, struct buf *why)
{
	char *in = text, *out = text, *start = text;
	int r = 0;

	while (r == 0 && *start) {
		while (*in && *in != ',') {
			if (*in == '\\' && in[1])
				in++;
			*out++ = *in++;
		}
		in += *in == ',';
		*out = '\0';
		r = *start ? take_option(a, start, why) : 0;
		start = out = in;
	}
	return r;
}

enum { LONG_CONFIG = 256 };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, LONG_CONFIG },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int take_flag(struct arguments *a, int flag, struct buf *why)
{
	switch (flag) {
	case LONG_CONFIG:
		return set_config(a, optarg);
	case 'd':
		a->debug = true;
		a->foreground = true;
		return 0;
	case 'f':
		a->foreground = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	case 'o':
		return take_options(a, optarg, why);
	case 'V':
		a->version = true;
		return 0;
	default:
		buf_append_str(why, "unknown flag; see mailfs --help");
		return -EINVAL;
	}
}

int arguments_parse(int argc, char **argv, struct arguments *ret, struct buf *why)
{
	struct arguments a = { .uid = getuid(), .gid = getgid(), .umask = 077 };
	int flag, r = 0;

	opterr = 0;
	while (r == 0 && (flag = getopt_long(argc, argv, "dfho:V", long_options, NULL)) >= 0)
		r = take_flag(&a, flag, why);
	if (r == 0 && !a.help && !a.version) {
		if (argc - optind == 2) {
			a.account = argv[optind];
			a.mountpoint = argv[optind + 1];
		} else {
			buf_append_str(why, "usage: mailfs [-df] [--config FILE] [-o OPTION[=VALUE],...] ACCOUNT MOUNTPOINT");
			r = -EINVAL;
		}
	}
	if (r < 0)
		arguments_release(&a);
	else
		*ret = a;
	return r;
}

void arguments_release(struct arguments *a)
{
	for (size_t i = 0; i < a->n_keys; i++)
		free(a->keys[i]);
	free(a->keys);
	buf_release(&a->kernel);
	*a = (struct arguments){ 0 };
}
