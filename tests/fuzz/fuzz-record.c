/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer over the snapshots that oomfwdctl reads: what is accepted is simulated, too.
 *   clang -g -O1 -std=gnu17 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Isrc/ctl \
 *       tests/fuzz/fuzz-record.c src/ctl/record.c src/ctl/record-read.c src/ctl/simulation.c \
 *       src/json.c src/config*.c src/victim*.c src/sharedmm*.c src/snapshot*.c src/verdict.c \
 *       src/psi.c src/report-text.c src/procfs.c -ljansson -linih -o fuzz
 *   cp -r tests/fixtures/snapshot /tmp/corpus && ./fuzz -max_total_time=60 /tmp/corpus
 */
#include "record.h"
#include "simulation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	_cleanup_(record_freep) struct record *r = NULL;
	_cleanup_(simulation_freep) struct simulation *sim = NULL;
	char why[RECORD_WHY_SIZE] = "";
	struct victim_fns fns;
	struct meminfo at;

	if (config.prefer_points == 0)
		config_init(&config);
	if (record_parse_text((const char *)data, size, &r, why) < 0) {
		if (!why[0] || r)
			abort();
		return 0;
	}
	fns = record_fns(r);
	at = simulation_start(&config, &r->mem, NULL);
	if (simulation_new(&config, &r->snapshot, &at, &fns, r->self, 0, &sim) < 0)
		return 0;
	while (simulation_choose(sim))
		simulation_kill(sim);
	return 0;
}
