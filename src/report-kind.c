/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kinds of events are called, and how much each matters. */
#include "report.h"

const char *report_kind_name(enum report_kind kind)
{
	switch (kind) {
	case REPORT_EPISODE_BEGAN:
		return "began";
	case REPORT_SIGNALLED:
		return "signalled";
	case REPORT_FREED:
		return "freed";
	case REPORT_STUCK:
		return "stuck";
	case REPORT_HIDDEN_PIN:
		return "pinned";
	case REPORT_LOST:
		return "lost";
	case REPORT_NO_VICTIM:
		return "no-victim";
	case REPORT_STEP:
		return "step";
	case REPORT_RECOVERED:
		return "recovered";
	case REPORT_WHOLE:
		return "whole-cgroup";
	case REPORT_KERNEL_OOM:
		return "kernel-oom";
	}
	return "";
}

enum report_level report_level_of(const struct report_event *e)
{
	if (e->along)
		return REPORT_DEBUG;
	switch (e->kind) {
	case REPORT_FREED:
	case REPORT_RECOVERED:
	case REPORT_HIDDEN_PIN:
		return REPORT_NOTICE;
	case REPORT_EPISODE_BEGAN:
	case REPORT_SIGNALLED:
	case REPORT_STUCK:
	case REPORT_LOST:
	case REPORT_STEP:
	case REPORT_WHOLE:
		return REPORT_WARNING;
	case REPORT_NO_VICTIM:
	case REPORT_KERNEL_OOM:
		return REPORT_ERROR;
	}
	return REPORT_ERROR;
}
