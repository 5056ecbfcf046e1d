/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that were cut or damaged: an import says what is wrong, or writes what our parser takes.
 */
#include "import-world.h"

static const char earlyoom[] =
	"# of an administrator\n"
	"OTHER='x'\n"
	"EARLYOOM_ARGS=\"-m 5,2 -s 10 -M 204800 -r 3600 \\\n"
	"  --avoid '^(sshd|a\\.b|[[:alpha:]]x{2,3})$' --prefer \\\"Web C\\\" \\\n"
	"  --ignore '[ #]x' -N /bin/told -g\" # the end\n";

static const char oomd[] =
	"[OOM]\n# half a minute\nSwapUsedLimit=85%\n"
	"DefaultMemoryPressureLimit=45.5%\n"
	"DefaultMemoryPressureDurationSec=1min \\\n 30s\nColour=\\\\\n[Shed]\nA=b";

/* Either outcome is checked by import_end(). */
static void import_bytes(struct world *w, import_fn *import, const char *text, size_t size)
{
	struct import_world i;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/input", w->dir);
	write_whole(path, text, size);
	import_start(&i, w);
	(void)import_end(&i, import(&i.import, path));
	import_free(&i);
}

static void cut_and_damage(struct world *w, import_fn *import, const char *text)
{
	static const char bytes[] = { '\0', '\n', '\\', '"', '\'', '[', '{', '#', ' ', '=', '%',
		'\x1b', '\xFF', '9' };
	size_t size = strlen(text);
	char *copy = malloc(size);

	assert_non_null(copy);
	for (size_t n = 0; n <= size; n++)
		import_bytes(w, import, text, n);
	for (size_t n = 0; n < size; n++) {
		memcpy(copy, text, size);
		/* Not all at each place: over the file each is at most kinds of place. */
		for (size_t k = n % 3; k < sizeof(bytes); k += 3) {
			copy[n] = bytes[k];
			import_bytes(w, import, copy, size);
		}
	}
	free(copy);
}

static void of_earlyoom(void **state)
{
	cut_and_damage(*state, import_earlyoom_file, earlyoom);
}

static void of_nohang(void **state)
{
	_cleanup_(freep) char *text = fixture_text("nohang.conf");

	cut_and_damage(*state, import_nohang, text);
}

static void of_systemd_oomd(void **state)
{
	cut_and_damage(*state, import_systemd_oomd, oomd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_earlyoom),
		TEST(of_nohang),
		TEST(of_systemd_oomd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
