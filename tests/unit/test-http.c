/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is a request, and for what.
 */
#include "http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int parse(const char *text, enum http_page *ret)
{
	return http_parse(text, strlen(text), ret);
}

static void the_three_pages_are_found(void **state)
{
	static const struct {
		const char *text;
		enum http_page page;
	} good[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", HTTP_METRICS },
		{ "GET /status HTTP/1.0\r\n\r\n", HTTP_STATUS },
		{ "GET /history HTTP/1.0\n\n", HTTP_HISTORY },
		{ "GET /metrics?format=text HTTP/1.1\r\n\r\n", HTTP_METRICS },
		{ "GET /status HTTP/1.1\r\nX: y\n\r\n", HTTP_STATUS },
		{ "GET /history HTTP/1.1\r\n\r\nGET /status HTTP/1.1\r\n\r\n", HTTP_HISTORY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		enum http_page page = (enum http_page)99;

		assert_int_equal(parse(good[i].text, &page), 200);
		assert_int_equal(page, good[i].page);
	}
}

static void a_request_that_is_cut_anywhere_is_not_whole_yet(void **state)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	enum http_page page;

	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(http_parse(text, n, &page), 0);
	assert_int_equal(http_parse(text, strlen(text), &page), 200);
}

static void everything_else_has_its_status(void **state)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 404 },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", 404 },
		{ "GET /metricsx HTTP/1.1\r\n\r\n", 404 },
		{ "GET /../metrics HTTP/1.1\r\n\r\n", 404 },
		{ "GET ?/metrics HTTP/1.1\r\n\r\n", 404 },
		{ "HEAD /metrics HTTP/1.1\r\n\r\n", 405 },
		{ "POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 405 },
		{ "get /metrics HTTP/1.1\r\n\r\n", 405 },
		{ "GET /metrics\r\n\r\n", 400 },
		{ "GET  /metrics HTTP/1.1\r\n\r\n", 400 },
		{ "GET /metrics HTTP/1.1 \r\n\r\n", 400 },
		{ " GET /metrics HTTP/1.1\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ "\n\n", 400 },
		{ "\x16\x03\x01\r\n\r\n", 400 },
		{ "GET /metrics HTTP/2.0\r\n\r\n", 505 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		enum http_page page;

		assert_int_equal(parse(bad[i].text, &page), bad[i].status);
	}
}

static void a_zero_byte_is_no_text(void **state)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\nX: \0\r\n\r\n";
	enum http_page page;

	assert_int_equal(http_parse(text, sizeof(text) - 1, &page), 400);
}

static void a_request_has_room_for_4096_bytes(void **state)
{
	char text[HTTP_REQUEST_MAX + 1];
	enum http_page page;

	memset(text, 'x', sizeof(text));
	memcpy(text, "GET /status HTTP/1.1\r\nX: ", 25);
	assert_int_equal(http_parse(text, HTTP_REQUEST_MAX - 1, &page), 0);
	assert_int_equal(http_parse(text, HTTP_REQUEST_MAX, &page), 431);
	memcpy(text + HTTP_REQUEST_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(http_parse(text, HTTP_REQUEST_MAX, &page), 200);
	memcpy(text + HTTP_REQUEST_MAX - 3, "\r\n\r\n", 4);
	text[HTTP_REQUEST_MAX - 4] = 'x';
	assert_int_equal(http_parse(text, HTTP_REQUEST_MAX + 1, &page), 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_pages_are_found),
		cmocka_unit_test(a_request_that_is_cut_anywhere_is_not_whole_yet),
		cmocka_unit_test(everything_else_has_its_status),
		cmocka_unit_test(a_zero_byte_is_no_text),
		cmocka_unit_test(a_request_has_room_for_4096_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
