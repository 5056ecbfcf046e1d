/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"
#include "report-text.h"

#include <jansson.h>

/* struct json is jansson's json_t, which knows its own type and counts its references. */
static json_t *in(struct json *j)
{
	return (json_t *)j;
}

static const json_t *in_const(const struct json *j)
{
	return (const json_t *)j;
}

static struct json *out(json_t *j)
{
	return (struct json *)j;
}

struct json *json_object_new(void)
{
	return out(json_object());
}

struct json *json_array_new(void)
{
	return out(json_array());
}

void json_unref(struct json *j)
{
	json_decref(in(j));
}

static json_t *text_value(const char *text)
{
	json_t *j = text ? json_string(text) : json_null();
	_cleanup_(freep) char *escaped = NULL;
	size_t size;

	if (j || !text)
		return j;
	size = strlen(text) * 4 + 1;
	escaped = malloc(size);
	return escaped ? json_string(report_escape(text, escaped, size)) : NULL;
}

void json_set(struct json *object, const char *key, struct json *value)
{
	if (!object)
		json_unref(value);
	else if (value)
		(void)json_object_set_new(in(object), key, in(value));
}

void json_set_text(struct json *object, const char *key, const char *text)
{
	json_set(object, key, out(text_value(text)));
}

void json_set_number(struct json *object, const char *key, int64_t number)
{
	json_set(object, key, out(json_integer(number)));
}

void json_set_u64(struct json *object, const char *key, uint64_t number)
{
	json_set_number(object, key, (int64_t)min_u64(number, INT64_MAX));
}

void json_set_real(struct json *object, const char *key, double number)
{
	json_set(object, key, out(json_real(number)));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	json_set(object, key, out(json_boolean(value)));
}

void json_add(struct json *array, struct json *value)
{
	if (!array)
		json_unref(value);
	else if (value)
		(void)json_array_append_new(in(array), in(value));
}

void json_add_text(struct json *array, const char *text)
{
	json_add(array, out(text_value(text)));
}

void json_add_number(struct json *array, int64_t number)
{
	json_add(array, out(json_integer(number)));
}

int json_write(const struct json *j, FILE *f, bool pretty)
{
	if (!j)
		return -ENOMEM;
	if (json_dumpf(in_const(j), f, pretty ? JSON_INDENT(2) : JSON_COMPACT) < 0)
		return -EIO;
	return putc('\n', f) == EOF ? -EIO : 0;
}

int json_parse(const char *text, size_t length, struct json **ret, int *ret_line, char *ret_what)
{
	json_error_t error;
	json_t *j = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

	if (j) {
		*ret = out(j);
		return 0;
	}
	if (ret_line)
		*ret_line = error.line;
	if (ret_what)
		copy_cut(ret_what, 128, error.text);
	return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
}

enum json_kind json_kind_of(const struct json *value)
{
	static const enum json_kind kinds[] = {
		[JSON_OBJECT] = JSON_MAP,
		[JSON_ARRAY] = JSON_LIST,
		[JSON_STRING] = JSON_TEXT,
		[JSON_INTEGER] = JSON_WHOLE,
		[JSON_REAL] = JSON_FRACTION,
		[JSON_TRUE] = JSON_BOOL,
		[JSON_FALSE] = JSON_BOOL,
		[JSON_NULL] = JSON_NOTHING,
	};

	return value ? kinds[json_typeof(in_const(value))] : JSON_NONE;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return object ? out(json_object_get(in_const(object), key)) : NULL;
}

const char *json_text(const struct json *value)
{
	const char *text = value ? json_string_value(in_const(value)) : NULL;

	return text ? text : "";
}

int64_t json_number(const struct json *value)
{
	return value ? json_integer_value(in_const(value)) : 0;
}

const char *json_get_text(const struct json *object, const char *key)
{
	return json_text(json_get(object, key));
}

int64_t json_get_number(const struct json *object, const char *key)
{
	return json_number(json_get(object, key));
}

double json_get_real(const struct json *object, const char *key)
{
	const struct json *j = json_get(object, key);

	return j ? json_number_value(in_const(j)) : 0;
}

bool json_get_bool(const struct json *object, const char *key)
{
	const struct json *j = json_get(object, key);

	return j && json_is_true(in_const(j));
}

bool json_has(const struct json *object, const char *key)
{
	return json_get(object, key) != NULL;
}

size_t json_count(const struct json *array)
{
	return array ? json_array_size(in_const(array)) : 0;
}

const struct json *json_at(const struct json *array, size_t i)
{
	return array ? out(json_array_get(in_const(array), i)) : NULL;
}
