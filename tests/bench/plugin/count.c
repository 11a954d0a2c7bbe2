/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin for QEMU's emulator (TCG): instructions of user space between the marks of
 * tests/bench/vm/marks.h. Each MARK_REPORT appends a line to a file: how often MARK_COMMIT was reached,
 * and instructions from MARK_BEGIN to MARK_RX and from there to MARK_COMMIT since MARK_RESET.
 *
 *   -plugin count.so,out=FILE
 *
 * QEMU's header is in no package, so what is used of its interface is declared here, as QEMU's
 * documentation of plugins (docs/devel/tcg-plugins) describes version 7 of it (QEMU 11.1).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x57454900u
enum { BEGIN, RX, COMMIT, RESET, REPORT, MARKS };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} qemu_plugin_u64;

enum { CB_NO_REGS = 0 };
enum { INLINE_ADD_U64 = 0 };

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t len);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
						  void (*cb)(struct qemu_plugin_tb *tb, void *arg),
						  void *arg);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						   void (*cb)(unsigned cpu, void *arg), int flags,
						   void *arg);
extern void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
								int op, qemu_plugin_u64 at,
								uint64_t n);
extern struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
extern uint64_t qemu_plugin_u64_get(qemu_plugin_u64 at, unsigned cpu);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 7;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

/* The loop is pinned to one processor, so one set of these is enough. */
static qemu_plugin_u64 insns;
static uint64_t begin, middle, rx, tx, commits;
static FILE *out;

static void at_mark(unsigned cpu, void *arg)
{
	uint64_t now = qemu_plugin_u64_get(insns, cpu);

	switch ((uintptr_t)arg) {
	case BEGIN:
		begin = now;
		break;
	case RX:
		middle = now;
		break;
	case COMMIT:
		rx += middle - begin;
		tx += now - middle;
		commits++;
		break;
	case REPORT:
		fprintf(out, "%llu %llu %llu\n", (unsigned long long)commits,
			(unsigned long long)rx, (unsigned long long)tx);
		fflush(out);
		/* fall through */
	default:
		rx = tx = commits = 0;
	}
}

/* Return: which mark this instruction is, or -1. */
static int mark_of(const struct qemu_plugin_insn *insn)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x84, 0x00 };
	uint8_t code[8];
	uint32_t which;

	if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code) ||
	    memcmp(code, nop, sizeof(nop)))
		return -1;
	memcpy(&which, code + sizeof(nop), sizeof(which));
	return which - MAGIC < MARKS ? (int)(which - MAGIC) : -1;
}

static void translated(struct qemu_plugin_tb *tb, void *arg)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)arg;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		int mark;

		/* The kernel is in the upper half. */
		if (qemu_plugin_insn_vaddr(insn) >> 63)
			continue;
		mark = mark_of(insn);
		if (mark >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, CB_NO_REGS,
							       (void *)(uintptr_t)mark);
		else
			qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD_U64,
									    insns, 1);
	}
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "count: wants out=FILE\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "we");
	if (!out) {
		perror(argv[0] + 4);
		return 1;
	}
	insns.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
	return 0;
}
