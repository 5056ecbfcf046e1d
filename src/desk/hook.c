/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook.h"
#include "say.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GRACE_USEC (2 * USEC_PER_SEC) /* SIGTERM to SIGKILL */
#define VARS_MAX   10
#define ENV_MAX    256

/* An episode to run for. */
struct run {
	uint64_t id;
	int stdin_fd;
	char *vars[VARS_MAX];
};

struct hooks {
	char path[PATH_MAX];
	uint64_t timeout_usec;
	int epoll_fd;
	bool held;
	struct run queue[HOOK_QUEUE_MAX]; /* the oldest first */
	uint32_t count;
	/* The one that runs; pid 0: none. */
	pid_t pid;
	int pidfd;
	uint64_t id, began_usec, end_usec; /* end: of its patience */
	bool late;                         /* had SIGTERM */
};

int hooks_new(struct hooks **ret)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->pidfd = -EBADF;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll_fd < 0) {
		int r = -errno;

		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void run_clear(struct run *r)
{
	for (size_t i = 0; i < VARS_MAX; i++)
		free(r->vars[i]);
	fd_closep(&r->stdin_fd);
	*r = (struct run){ .stdin_fd = -EBADF };
}

static void drop_oldest(struct hooks *h)
{
	run_clear(&h->queue[0]);
	h->count--;
	memmove(h->queue, h->queue + 1, h->count * sizeof(h->queue[0]));
}

void hooks_configure(struct hooks *h, const char *path, uint64_t timeout_usec)
{
	copy_cut(h->path, sizeof(h->path), path);
	h->timeout_usec = timeout_usec;
	while (!h->path[0] && h->count > 0)
		drop_oldest(h);
}

void hooks_hold(struct hooks *h, bool held)
{
	h->held = held;
}

/* --- an episode into a run --- */

/* The episode as text in a memfd: -errno or its fd. */
static int make_stdin(const struct json *episode)
{
	_cleanup_(fd_closep) int fd = memfd_create("oomfwd-episode", MFD_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *f;
	int r;

	if (fd < 0)
		return -errno;
	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	r = json_write(episode, f, false);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	/* By position: the program finds the offset at 0. */
	return pwrite(fd, text, size, 0) == (ssize_t)size ? take_fd(&fd) : -ENOSPC;
}

/* The first that was signalled; NULL: nobody was. */
static const struct json *first_victim(const struct json *episode)
{
	const struct json *steps = json_get(episode, "steps");

	for (size_t i = 0; i < json_count(steps); i++) {
		const struct json *step = json_at(steps, i);

		if (strcmp(json_get_text(step, "event"), "signalled") == 0)
			return step;
	}
	return NULL;
}

static _printf_(2, 3) void add_var(struct run *r, const char *format, ...)
{
	va_list args;
	size_t i = 0;

	while (r->vars[i])
		i++;
	va_start(args, format);
	if (vasprintf(&r->vars[i], format, args) < 0)
		r->vars[i] = NULL;
	va_end(args);
}

static void add_number(struct run *r, const char *name, const struct json *j, const char *key)
{
	add_var(r, "OOMFWD_%s=%lld", name, (long long)json_get_number(j, key));
}

/* A process chose its name: escaped, so that no shell or terminal is taken in. */
static void add_vars(struct run *r, const struct json *episode)
{
	const struct json *victim = first_victim(episode);
	char comm[64];

	add_number(r, "EPISODE_ID", episode, "id");
	add_var(r, "OOMFWD_RECOVERED=%d", json_get_bool(episode, "recovered"));
	add_var(r, "OOMFWD_DRY_RUN=%d", json_get_bool(episode, "dry_run"));
	add_var(r, "OOMFWD_DOMAIN=%s", json_get_text(episode, "domain"));
	add_number(r, "VICTIMS", episode, "victims");
	add_number(r, "FREED_BYTES", episode, "freed_bytes");
	add_number(r, "DURATION_USEC", episode, "duration_usec");
	if (!victim)
		return;
	add_number(r, "VICTIM_PID", victim, "pid");
	add_var(r, "OOMFWD_VICTIM_COMM=%s",
		report_escape(json_get_text(victim, "comm"), comm, sizeof(comm)));
}

void hooks_add(struct hooks *h, const struct json *episode)
{
	struct run r = { .id = (uint64_t)json_get_number(episode, "id") };

	if (!h->path[0])
		return;
	r.stdin_fd = make_stdin(episode);
	if (r.stdin_fd < 0) {
		say(REPORT_WARNING, "the hook is not run for episode %llu: %s",
			(unsigned long long)r.id, strerror(-r.stdin_fd));
		return;
	}
	add_vars(&r, episode);
	if (h->count == HOOK_QUEUE_MAX) {
		say(REPORT_WARNING,
			"the hook is not run for episode %llu: it takes so long that %d more wait",
			(unsigned long long)h->queue[0].id, HOOK_QUEUE_MAX);
		drop_oldest(h);
	}
	h->queue[h->count++] = r;
}

/* --- running --- */

static bool is_ours(const char *var)
{
	/* What is between systemd and the desk, and what a hook must not take for its own. */
	static const char *const not [] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "OOMFWD_" };

	for (size_t i = 0; i < ARRAY_SIZE(not ); i++)
		if (strncmp(var, not [i], strlen(not [i])) == 0)
			return true;
	return false;
}

/* Ours, less what is not its business, and what is about the episode. */
static void make_env(const struct run *r, char *ret[ENV_MAX + VARS_MAX + 1])
{
	size_t n = 0;

	for (char **e = environ; *e && n < ENV_MAX; e++)
		if (!is_ours(*e))
			ret[n++] = *e;
	for (size_t i = 0; i < VARS_MAX && r->vars[i]; i++)
		ret[n++] = r->vars[i];
	ret[n] = NULL;
}

static int spawn_with(const char *path, const struct run *r, pid_t *ret)
{
	char *const argv[] = { (char *)path, NULL };
	char *env[ENV_MAX + VARS_MAX + 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	make_env(r, env);
	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawnattr_init(&attr) != 0)
		return -ENOMEM;
	if (posix_spawn_file_actions_init(&files) != 0) {
		posix_spawnattr_destroy(&attr);
		return -ENOMEM;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	error = posix_spawn_file_actions_adddup2(&files, r->stdin_fd, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn(ret, path, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -error;
}

/* What keeps the kernel's hands off the desk is not for the hook: *value is what was before. */
static void swap_oom_score_adj(char value[16])
{
	_cleanup_(fd_closep) int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char before[16] = "";

	if (fd < 0 || pread(fd, before, sizeof(before) - 1, 0) <= 0 ||
		(before[0] != '-' && value[0] != '-') || pwrite(fd, value, strlen(value), 0) < 0)
		return;
	memcpy(value, before, sizeof(before));
}

static void start(struct hooks *h, struct run *r, uint64_t now_usec)
{
	struct epoll_event watch = { .events = EPOLLIN };
	char adj[16] = "0";
	int error;

	swap_oom_score_adj(adj);
	error = spawn_with(h->path, r, &h->pid);
	swap_oom_score_adj(adj);
	if (error < 0) {
		h->pid = 0;
		say(REPORT_WARNING, "cannot run the hook %s for episode %llu: %s", h->path,
			(unsigned long long)r->id, strerror(-error));
		return;
	}
	h->id = r->id;
	h->began_usec = now_usec;
	h->end_usec = add_sat_u64(now_usec, h->timeout_usec);
	h->late = false;
	h->pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
	if (h->pidfd < 0 || epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->pidfd, &watch) < 0)
		say(REPORT_WARNING, "the end of the hook is noticed late: %s", strerror(errno));
}

/* Whether it has exited; it stays a zombie, so that its group is no one else's. */
static bool has_exited(const struct hooks *h, siginfo_t *ret)
{
	*ret = (siginfo_t){ 0 };
	return waitid(P_PID, (id_t)h->pid, ret, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		ret->si_pid == h->pid;
}

static void say_ended(const struct hooks *h, const siginfo_t *si, uint64_t now_usec)
{
	bool good = si->si_code == CLD_EXITED && si->si_status == 0 && !h->late;
	char how[64], took[32];

	if (si->si_code == CLD_EXITED)
		snprintf(how, sizeof(how), "exit status %d", si->si_status);
	else
		snprintf(how, sizeof(how), "ended by SIG%s",
			sigabbrev_np(si->si_status) ? sigabbrev_np(si->si_status) : "?");
	say(good ? REPORT_INFO : REPORT_WARNING, "hook %s for episode %llu: %s after %s%s", h->path,
		(unsigned long long)h->id, how,
		report_usec(now_usec - h->began_usec, took, sizeof(took)),
		h->late ? ": it took longer than hook_timeout allows" : "");
}

static void reap(struct hooks *h, const siginfo_t *si, uint64_t now_usec)
{
	siginfo_t gone;

	(void)kill(-h->pid, SIGKILL); /* what it left behind */
	(void)waitid(P_PID, (id_t)h->pid, &gone, WEXITED);
	say_ended(h, si, now_usec);
	fd_closep(&h->pidfd);
	h->pidfd = -EBADF;
	h->pid = 0;
}

static void lose_patience(struct hooks *h, uint64_t now_usec)
{
	(void)kill(-h->pid, h->late ? SIGKILL : SIGTERM);
	h->end_usec = h->late ? USEC_NEVER : add_sat_u64(now_usec, GRACE_USEC);
	h->late = true;
}

int hooks_fd(const struct hooks *h)
{
	return h->epoll_fd;
}

uint64_t hooks_next_usec(const struct hooks *h)
{
	if (h->pid > 0)
		return h->end_usec;
	return h->count > 0 && !h->held ? 0 : USEC_NEVER;
}

void hooks_dispatch(struct hooks *h, uint64_t now_usec)
{
	siginfo_t si;

	if (h->pid > 0 && has_exited(h, &si))
		reap(h, &si, now_usec);
	if (h->pid > 0 && now_usec >= h->end_usec)
		lose_patience(h, now_usec);
	while (h->pid == 0 && h->count > 0 && !h->held) {
		start(h, &h->queue[0], now_usec);
		drop_oldest(h);
	}
}

void hooks_free(struct hooks *h)
{
	if (!h)
		return;
	if (h->pid > 0)
		(void)kill(-h->pid, SIGKILL);
	while (h->count > 0)
		drop_oldest(h);
	fd_closep(&h->pidfd);
	fd_closep(&h->epoll_fd);
	free(h);
}
