/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration under libFuzzer: the first byte says which parser gets the rest. Whatever the
 * text, nothing may crash, hang, leak, or be written when it is refused, and what is said must be
 * harmless to a terminal. See README.md.
 */
#include "config-internal.h"

#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void fuzz_values(unsigned which, const char *text)
{
	struct config_amount a = { AMOUNT_BYTES, 7 };
	struct config_pressure p = { .percent = 7 };
	uint64_t n = 7;
	int r;

	switch (which % 5) {
	case 0:
		r = config_parse_amount(text, &a);
		expect(r < 0 ? a.value == 7 : a.kind != AMOUNT_PERMILLE || a.value <= 1000);
		return;
	case 1:
		r = config_parse_pressure(text, &p);
		expect(r < 0 ? p.percent == 7 : !p.set || (p.percent > 0 && p.percent <= 100));
		return;
	case 2:
		r = config_parse_size(text, &n);
		break;
	case 3:
		r = config_parse_duration(text, &n);
		break;
	default:
		r = config_parse_number(text, &n);
		break;
	}
	expect(r == 0 || ((r == -EINVAL || r == -ERANGE) && n == 7));
}

/* A domain that nothing is ever done in is there for the rule that its preference is. */
static void expect_domain(const struct config *c, const struct config_domain *d)
{
	bool ruled = false;

	expect(d->path[0] == '/' && d->path[1] && strlen(d->path) < sizeof(d->path));
	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct rule *r = &c->rules[i];

		ruled |= r->cgroup.set && strcmp(r->name, d->name) == 0;
	}
	expect(ruled || d->memory.kind != AMOUNT_OFF || d->pressure.set);
}

static void fuzz_load(const void *text, size_t size)
{
	_cleanup_(fd_closep) int fd = memfd_create("conf", MFD_CLOEXEC);
	_cleanup_(freep) char *said = NULL;
	size_t said_size = 0;
	char path[64];
	struct config *c = NULL;
	FILE *f;
	int r;

	expect(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	f = open_memstream(&said, &said_size);
	expect(f != NULL);
	r = config_load(path, f, &c);
	fclose(f);
	expect((r == 0) == (c != NULL));
	expect(strlen(said) == said_size && (r == 0 || said_size > 0));
	for (size_t i = 0; i < said_size; i++) {
		unsigned char s = (unsigned char)said[i];
		expect((s >= 0x20 && s != 0x7F) || s == '\n' || s == '\t');
	}
	if (c) {
		expect(c->ladder_count <= CONFIG_LADDER_MAX && c->rule_count <= CONFIG_RULES_MAX);
		expect(c->victim_cap_usec >= c->victim_timeout_usec);
		expect(c->kill.memory.kind != AMOUNT_OFF || c->kill.pressure.set);
		expect(c->domain_count <= CONFIG_DOMAINS_MAX);
		for (uint32_t i = 0; i < c->domain_count; i++)
			expect_domain(c, &c->domains[i]);
	}
	config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[128];

	if (size == 0)
		return 0;
	if (data[0] < 5 && size < sizeof(text)) {
		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		fuzz_values(data[0], text);
	} else {
		fuzz_load(data + 1, size - 1);
	}
	return 0;
}
