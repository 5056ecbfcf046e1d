/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "terminal.h"
#include "clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#define ESCAPE_MSEC 50 /* what follows an escape within so long belongs to it */

/* The other screen, no cursor, lines cut at the margin; and back. */
#define SCREEN_ON  "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_OFF "\033[?7h\033[?25h\033[?1049l"

struct terminal {
	struct termios before;
	sigset_t signals, mask_before;
	int signal_fd;
	bool drawn; /* the screen is ours */
	char input[64];
	size_t length;
};

/* --- keys --- */

static enum terminal_key key_of_letter(char c)
{
	switch (c) {
	case 'k':
		return KEY_UP;
	case 'j':
		return KEY_DOWN;
	case 'g':
		return KEY_HOME;
	case 'G':
		return KEY_END;
	case 's':
		return KEY_SORT;
	case 'e':
		return KEY_DETAILS;
	case 'q':
		return KEY_QUIT;
	case '\r':
	case '\n':
		return KEY_ENTER;
	default:
		return KEY_NONE;
	}
}

static enum terminal_key key_of_sequence(char last, char parameter)
{
	switch (last) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case '~':
		return parameter == '5'                        ? KEY_PAGE_UP
			: parameter == '6'                     ? KEY_PAGE_DOWN
			: parameter == '1' || parameter == '7' ? KEY_HOME
			: parameter == '4' || parameter == '8' ? KEY_END
							       : KEY_NONE;
	default:
		return KEY_NONE;
	}
}

size_t terminal_decode(const char *data, size_t length, bool is_all, enum terminal_key *ret)
{
	size_t i = 2;

	*ret = KEY_NONE;
	if (length == 0)
		return 0;
	if (data[0] != '\033') {
		*ret = key_of_letter(data[0]);
		return 1;
	}
	if (length == 1 || (data[1] != '[' && data[1] != 'O')) {
		if (length == 1 && !is_all)
			return 0;
		*ret = KEY_ESCAPE;
		return 1;
	}
	/* Parameters, then one letter or "~". */
	while (i < length && data[i] >= 0x20 && data[i] <= 0x3f)
		i++;
	if (i == length)
		return is_all ? length : 0;
	*ret = key_of_sequence(data[i], i == 3 ? data[2] : '\0');
	return i + 1;
}

/* --- the screen --- */

bool terminal_is_there(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && kind && kind[0] &&
		strcmp(kind, "dumb") != 0;
}

static int write_all(const char *text, size_t length)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (length > 0) {
		ssize_t n = write(STDOUT_FILENO, text, length);

		if (n < 0 && errno == EAGAIN) {
			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static void give_back(struct terminal *t)
{
	if (!t->drawn)
		return;
	(void)write_all(SCREEN_OFF, sizeof(SCREEN_OFF) - 1);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->before);
	t->drawn = false;
}

static int take(struct terminal *t)
{
	struct termios raw = t->before;

	if (t->drawn)
		return 0;
	/* Signals by keys stay: Ctrl-C and Ctrl-Z do what they always do. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return -errno;
	t->drawn = true;
	return write_all(SCREEN_ON, sizeof(SCREEN_ON) - 1);
}

int terminal_open(struct terminal **ret)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
	_cleanup_(freep) struct terminal *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (tcgetattr(STDIN_FILENO, &t->before) < 0)
		return -errno;
	sigemptyset(&t->signals);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&t->signals, signals[i]);
	t->signal_fd = signalfd(-1, &t->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signal_fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &t->signals, &t->mask_before);
	*ret = take_pointer(&t);
	return 0;
}

void terminal_close(struct terminal *t)
{
	if (!t)
		return;
	give_back(t);
	close(t->signal_fd);
	sigprocmask(SIG_SETMASK, &t->mask_before, NULL);
	free(t);
}

void terminal_size(unsigned *ret_height, unsigned *ret_width)
{
	struct winsize w;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0;

	*ret_height = known ? w.ws_row : 24;
	*ret_width = known ? w.ws_col : 80;
}

int terminal_draw(struct terminal *t, const char *text)
{
	_cleanup_(freep) char *frame = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&frame, &length);
	int r;

	if (!f)
		return -ENOMEM;
	fputs("\033[H", f);
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\033[K\r\n", f);
		else
			fputc(*text, f);
	}
	fputs("\033[K\033[J", f);
	if (fclose(f) != 0)
		return -ENOMEM;
	r = take(t);
	return r < 0 ? r : write_all(frame, length);
}

/* --- waiting --- */

/* Ctrl-Z: the shell gets its terminal as it was, and we draw anew when we are back. */
static void go_to_background(struct terminal *t)
{
	give_back(t);
	raise(SIGSTOP);
}

/* Whether the signal was worth an event. */
static bool take_signal(struct terminal *t, enum terminal_event *ret)
{
	struct signalfd_siginfo si;

	if (read(t->signal_fd, &si, sizeof(si)) != sizeof(si))
		return false;
	if (si.ssi_signo == SIGTSTP)
		go_to_background(t);
	*ret = si.ssi_signo == SIGTSTP || si.ssi_signo == SIGWINCH ? TERMINAL_RESIZED
								   : TERMINAL_ENDED;
	return true;
}

/* The next key of what has come in. Whether there was one. */
static bool take_key(struct terminal *t, bool is_all, enum terminal_key *ret)
{
	size_t used = terminal_decode(t->input, t->length, is_all, ret);

	if (used == 0)
		return false;
	t->length -= used;
	memmove(t->input, t->input + used, t->length);
	return true;
}

enum terminal_event terminal_wait(
	struct terminal *t, uint64_t deadline_usec, enum terminal_key *ret)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = t->signal_fd, .events = POLLIN } };
	enum terminal_event event;

	for (;;) {
		uint64_t left_msec = (time_left_usec(deadline_usec) + 999) / 1000;
		bool begun = t->length > 0;
		ssize_t n;
		int r;

		/* A sequence that fills the buffer is none of ours. */
		if (take_key(t, t->length == sizeof(t->input), ret))
			return TERMINAL_KEY;
		r = poll(p, 2, begun ? ESCAPE_MSEC : (int)min_u64(left_msec, INT32_MAX));
		if (r < 0 && errno != EINTR)
			return TERMINAL_ENDED;
		if (r > 0 && p[1].revents && take_signal(t, &event))
			return event;
		if (r > 0 && p[0].revents) {
			n = read(STDIN_FILENO, t->input + t->length, sizeof(t->input) - t->length);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				return TERMINAL_ENDED;
			t->length += n > 0 ? (size_t)n : 0;
		} else if (r == 0 && begun && take_key(t, true, ret)) {
			return TERMINAL_KEY;
		} else if (r == 0 && left_msec == 0) {
			return TERMINAL_TIMEOUT;
		}
	}
}
