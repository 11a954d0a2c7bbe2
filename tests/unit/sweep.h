/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The n-th call of a kind fails. Calls are wrapped by the linker (see the Makefile), each by a line of
 * SWEEP_WRAP(); which of them count is for sweep_begin() and sweep.on to say.
 */
#ifndef WEIR_TESTS_SWEEP_H
#define WEIR_TESTS_SWEEP_H

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* A call, and how it fails. */
struct sweep_kind {
	const char *name;
	int error;
};

static struct {
	pthread_t thread; /* that calls: of this one, or of all but this one, the calls count */
	bool others;
	bool on;
	unsigned seen; /* calls of the kind until now */
	unsigned fail; /* the one that fails; 0: none */
	int error;
	const char *kind;
} sweep;

static bool sweep_fails(const char *kind)
{
	if (!sweep.on || !pthread_equal(pthread_self(), sweep.thread) != sweep.others ||
	    strcmp(kind, sweep.kind) != 0)
		return false;
	if (++sweep.seen != sweep.fail)
		return false;
	errno = sweep.error;
	return true;
}

#define SWEEP_WRAP(ret, bad, name, args, pass)                          \
	ret __real_##name args;                                         \
	ret __wrap_##name args;                                         \
	ret __wrap_##name args                                          \
	{                                                               \
		return sweep_fails(#name) ? (bad) : __real_##name pass; \
	}

/* Count calls of a kind by this thread from when sweep.on is set; number @fail of them fails. */
static inline void sweep_begin(const struct sweep_kind *k, unsigned fail)
{
	sweep.kind = k->name;
	sweep.error = k->error;
	sweep.seen = 0;
	sweep.fail = fail;
	sweep.thread = pthread_self();
	sweep.others = false;
}

/*
 * @life with every call of each kind failing in its turn. It is called with sweep_begin() done, sets
 * sweep.on around what counts, and returns the first error. What was only interrupted goes on; of
 * the others at least one of a kind makes a difference.
 */
static inline void sweep_all(const struct sweep_kind *kinds, unsigned n_kinds, int (*life)(void))
{
	for (const struct sweep_kind *k = kinds; k < kinds + n_kinds; k++) {
		unsigned n, failed = 0;

		sweep_begin(k, 0);
		assert_int_equal(life(), 0);
		n = sweep.seen;
		assert_true(n > 0);
		for (unsigned fail = 1; fail <= n; fail++) {
			int err;

			sweep_begin(k, fail);
			err = life();
			if (err && k->error == EINTR)
				fail_msg("%s %u interrupted: %d (%s)", k->name, fail, err,
					 said.text);
			failed += err != 0;
		}
		if (k->error != EINTR && !failed)
			fail_msg("none of %u %s that failed made a difference", n, k->name);
	}
}

#endif
