/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mms that are not to be chosen again, and the words for what was decided. Apart from victim.c
 * because these last longer than one choice.
 */
#include "util.h"
#include "victim.h"

#include <string.h>

void victim_mm_id(const struct snapshot *s, const struct sharedmm *sm, const struct mm_group *g,
	struct mm_id *ret)
{
	const uint32_t *members = sharedmm_members(sm, g);

	ret->marks = s->tasks[members[0]].marks;
	ret->handle_fd = -1;
	ret->id_count = g->count < VICTIM_IDS_MAX ? g->count : VICTIM_IDS_MAX;
	for (uint32_t i = 0; i < ret->id_count; i++)
		ret->ids[i] = s->tasks[members[i]].id;
}

static bool same_id(const struct proc_id *a, const struct proc_id *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

static bool same_marks(const struct mm_marks *a, const struct mm_marks *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool victim_mm_id_holds(const struct mm_id *id, const struct task *t)
{
	if ((t->flags & TASK_NO_MM) || !same_marks(&id->marks, &t->marks))
		return false;
	for (uint32_t i = 0; i < id->id_count; i++)
		if (same_id(&id->ids[i], &t->id))
			return true;
	return false;
}

static bool same_mm(const struct mm_id *a, const struct mm_id *b)
{
	if (!same_marks(&a->marks, &b->marks))
		return false;
	for (uint32_t i = 0; i < a->id_count; i++)
		for (uint32_t j = 0; j < b->id_count; j++)
			if (same_id(&a->ids[i], &b->ids[j]))
				return true;
	return false;
}

void hidden_remove(struct hidden_list *h, uint32_t i)
{
	h->count--;
	memmove(&h->ids[i], &h->ids[i + 1], (h->count - i) * sizeof(h->ids[0]));
}

int hidden_add(struct hidden_list *h, const struct mm_id *id)
{
	uint32_t goes = 0;
	int handle_fd = -1;

	while (goes < h->count && !same_mm(&h->ids[goes], id))
		goes++;
	if (goes == h->count && h->count == VICTIM_HIDDEN_MAX)
		goes = 0;
	if (goes < h->count) {
		handle_fd = h->ids[goes].handle_fd;
		hidden_remove(h, goes);
	}
	h->ids[h->count++] = *id;
	return handle_fd;
}

bool hidden_contains(const struct hidden_list *h, const struct task *t)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (victim_mm_id_holds(&h->ids[i], t))
			return true;
	return false;
}

bool hidden_holds(const struct hidden_list *h, uint32_t i, const struct snapshot *s)
{
	const struct mm_id *id = &h->ids[i];

	for (uint32_t j = 0; j < id->id_count; j++) {
		const struct task *t = snapshot_find(s, id->ids[j].pid);

		if (t && victim_mm_id_holds(id, t))
			return true;
	}
	return false;
}

const char *victim_reason_text(enum victim_reason r)
{
	switch (r) {
	case REASON_CHOSEN:
		return "chosen";
	case REASON_REDUNDANT:
		return "the others chosen suffice without it";
	case REASON_NOT_NEEDED:
		return "not needed";
	case REASON_AVOIDED:
		return "avoided by a rule";
	case REASON_PINNED:
		return "its memory is pinned";
	case REASON_PROTECTED:
		return "protected";
	case REASON_UNREAD:
		return "perhaps protected: it could not be read in time";
	case REASON_HIDDEN:
		return "a kill freed nothing before";
	case REASON_DYING:
		return "dying already";
	case REASON_NO_YIELD:
		return "nothing would come back";
	case REASON_TOO_SMALL:
		return "too small to help";
	case REASON_NO_ROOM:
		return "too many victims at once";
	}
	return "";
}

const char *victim_result_text(enum victim_result r)
{
	switch (r) {
	case VICTIM_CHOSEN:
		return "the victims chosen cover the need";
	case VICTIM_PARTIAL:
		return "the victims chosen help, but do not cover the need";
	case VICTIM_NONE:
		return "who holds the memory is protected, pinned, avoided or hidden";
	case VICTIM_HOPELESS:
		return "no process holds enough memory to matter";
	case VICTIM_ALL_DYING:
		return "who holds the memory is dying already";
	case VICTIM_UNREAD:
		return "who is protected could not be read in time";
	}
	return "";
}

const char *victim_pin_text(enum mm_pin pin)
{
	switch (pin) {
	case MM_PIN_NONE:
		return "not pinned";
	case MM_PIN_INIT:
		return "shared with pid 1";
	case MM_PIN_SELF:
		return "oomfwd itself";
	case MM_PIN_ADJ:
		return "oom_score_adj -1000";
	case MM_PIN_PROTECTED:
		return "shared with a protected process";
	case MM_PIN_KTHREAD:
		return "used by a kernel thread";
	}
	return "";
}
