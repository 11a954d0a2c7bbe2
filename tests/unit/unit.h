/* SPDX-License-Identifier: BSD-3-Clause */
/* What the unit tests of the library share: cmocka, a log that remembers, and counts of leaks. */
#ifndef WEIR_TESTS_UNIT_H
#define WEIR_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNIT_SLOW 1
#else
#define UNIT_SLOW 0
#endif

/* What a handle said: the last message and its id, and how many there were. */
static struct unit_said {
	unsigned n;
	char id[64], text[1024];
} said;

static inline void unit_log(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	said.n++;
	snprintf(said.id, sizeof(said.id), "%s", id);
	snprintf(said.text, sizeof(said.text), "%s", msg);
}

static inline void unit_hush(void)
{
	memset(&said, 0, sizeof(said));
}

#define assert_said(what)                                                         \
	do {                                                                      \
		assert_string_equal(said.id, what);                               \
		assert_true(strlen(said.text) > 10); /* a sentence, not a word */ \
	} while (0)

#define assert_text(part)                                                        \
	do {                                                                     \
		if (!strstr(said.text, part))                                    \
			fail_msg("\"%s\" does not say \"%s\"", said.text, part); \
	} while (0)

static inline struct weir *unit_weir(void)
{
	struct weir_opts o = { .log = unit_log, .window_size = 1u << 30 };
	struct weir *w;

	unit_hush();
	assert_int_equal(weir_open(&o, &w), 0);
	return w;
}

/* File descriptors open now. */
static inline unsigned unit_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/*
 * Mappings that weir makes: reservations without access, and arenas. The sanitizers' own
 * reservations lie below where mmap() puts things.
 */
static inline unsigned unit_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strtoull(line, NULL, 16) >> 40 >= 0x7e &&
		     (strstr(line, " ---p ") || strstr(line, "memfd:"));
	fclose(f);
	return n;
}

/* A small generator with a seed: the same numbers in every run. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

#endif
