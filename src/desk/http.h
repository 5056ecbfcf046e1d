/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP on a Unix socket, as much as a scraper needs: GET of three pages, one a connection. A reader
 * that is slow costs the desk nothing, and is gone after five seconds.
 */
#pragma once

#include "util.h"

#define HTTP_REQUEST_MAX     4096
#define HTTP_CONNECTIONS_MAX 8
#define HTTP_TIMEOUT_USEC    (5 * USEC_PER_SEC)

enum http_page { HTTP_METRICS, HTTP_STATUS, HTTP_HISTORY };

/*
 * The beginning of a request. Returns 0: not whole yet; 200 and *ret: what is asked for; or the
 * status of the error that it is. Pure.
 */
int http_parse(const char *text, size_t length, enum http_page *ret);

/* Writes the body of the page. 0 or -errno. */
typedef int http_answer(void *ctx, enum http_page page, FILE *f);

struct http;

/* Listens at path, mode 0660; a socket that is there already is replaced, anything else is not. 0,
 * -ENAMETOOLONG, -EEXIST, or another -errno. */
int http_open(const char *path, http_answer *answer, void *ctx, struct http **ret);
/* Removes the socket. */
void http_close(struct http *h);

/* Readable when http_dispatch() has something to do; constant, borrowed. */
int http_fd(const struct http *h);
/* When it has to be called at the latest (CLOCK_MONOTONIC); USEC_NEVER. */
uint64_t http_next_usec(const struct http *h);
void http_dispatch(struct http *h, uint64_t now_usec);
