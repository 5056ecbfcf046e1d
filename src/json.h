/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON, for the programs beside the daemon. The library is in json.c alone.
 *
 * Building never fails visibly: out of memory, the value is NULL, adding NULL adds nothing, and
 * json_write says -ENOMEM. A function that takes a value to add takes over the reference.
 */
#pragma once

#include "util.h"

struct json;

struct json *json_object_new(void);
struct json *json_array_new(void);
void json_unref(struct json *j);
static inline void json_unrefp(struct json **j)
{
	json_unref(*j);
}

/* Setting on NULL does nothing; text that is not UTF-8 is escaped as report_escape() does, NULL
 * text is JSON's null. */
void json_set(struct json *object, const char *key, struct json *value);
void json_set_text(struct json *object, const char *key, const char *text);
void json_set_number(struct json *object, const char *key, int64_t number);
/* JSON has no unsigned numbers: INT64_MAX if it is more. */
void json_set_u64(struct json *object, const char *key, uint64_t number);
void json_set_real(struct json *object, const char *key, double number);
void json_set_bool(struct json *object, const char *key, bool value);
void json_add(struct json *array, struct json *value);
void json_add_text(struct json *array, const char *text);
void json_add_number(struct json *array, int64_t number);

/* On one line, or indented for people; ends with a line end. 0 or -errno. */
int json_write(const struct json *j, FILE *f, bool pretty);

/* Parses length bytes. On error *ret_line and ret_what (at least 128 bytes) say where and what;
 * both may be NULL. 0, -EINVAL or -ENOMEM. */
int json_parse(const char *text, size_t length, struct json **ret, int *ret_line, char *ret_what);

/* What a value is; JSON_NONE: there is none (NULL). */
enum json_kind {
	JSON_NONE,
	JSON_NOTHING, /* null */
	JSON_BOOL,
	JSON_WHOLE, /* a number without a fraction that fits into int64_t */
	JSON_FRACTION,
	JSON_TEXT,
	JSON_LIST,
	JSON_MAP,
};
enum json_kind json_kind_of(const struct json *value);

/* Looking: borrowed from the container; NULL, "", 0 or false where it is missing or of another
 * type. */
const struct json *json_get(const struct json *object, const char *key);
const char *json_get_text(const struct json *object, const char *key);
int64_t json_get_number(const struct json *object, const char *key);
double json_get_real(const struct json *object, const char *key);
bool json_get_bool(const struct json *object, const char *key);
bool json_has(const struct json *object, const char *key);
size_t json_count(const struct json *array);
const struct json *json_at(const struct json *array, size_t i);
const char *json_text(const struct json *value); /* of a string value itself */
int64_t json_number(const struct json *value);
