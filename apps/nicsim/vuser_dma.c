/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that the client mapped without a file is reached by asking it, and that takes as long as its
 * answer. Commands of the client that arrive meanwhile have to wait: acting on them could take away the
 * queue that is being served.
 */
#include "apps/nicsim/vuser.h"
#include "core/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* For the answer; a client looks for our commands now and then only. */
#define ASK_US 2000000u
/* Commands that wait. A client that sends more without an answer is dropped. */
#define LATE_MAX 64u

struct vu_late {
	struct vu_late *next;
	int fds[VU_FDS_MAX];
	unsigned n_fds;
	size_t len;
	uint8_t msg[];
};

static bool put_off(struct vu *v, size_t len)
{
	struct vu_late **end = &v->late, *l;
	unsigned n = 0;

	for (; *end; end = &(*end)->next)
		n++;
	l = n < LATE_MAX ? malloc(sizeof(*l) + len) : NULL;
	if (!l)
		return false;
	l->next = NULL;
	l->len = len;
	l->n_fds = v->n_fds;
	memcpy(l->fds, v->fds, v->n_fds * sizeof(v->fds[0]));
	memcpy(l->msg, v->in, len);
	v->n_fds = 0;
	*end = l;
	return true;
}

bool vu_take_late(struct vu *v)
{
	struct vu_late *l = v->late;

	/* Nothing is half received: an access ends with a whole message, or with the client. */
	if (!l)
		return false;
	v->late = l->next;
	memcpy(v->in, l->msg, l->len);
	v->in_have = l->len;
	memcpy(v->fds, l->fds, l->n_fds * sizeof(v->fds[0]));
	v->n_fds = l->n_fds;
	free(l);
	return true;
}

void vu_drop_late(struct vu *v)
{
	struct vu_late *l;

	while ((l = v->late)) {
		v->late = l->next;
		for (unsigned i = 0; i < l->n_fds; i++)
			close(l->fds[i]);
		free(l);
	}
	v->lost = false;
}

static bool send_request(struct vu *v, enum dma_dir dir, uint64_t iova, const void *buf, size_t len)
{
	struct vu_dma_rw rw = { .addr = iova, .count = len };
	size_t data = dir == DMA_DEV_WRITE ? len : 0;
	struct vu_hdr h = {
		.id = ++v->asked,
		.cmd = dir == DMA_DEV_WRITE ? VU_DMA_WRITE : VU_DMA_READ,
		.size = (uint32_t)(sizeof(h) + sizeof(rw) + data),
	};

	v->out_len = 0;
	memcpy(vu_out(v, sizeof(h)), &h, sizeof(h));
	memcpy(vu_out(v, sizeof(rw)), &rw, sizeof(rw));
	memcpy(vu_out(v, data), buf, data);
	return vu_send_out(v);
}

/* What an answer says: 1 done, 0 refused, -1 it makes no sense. */
static int judge(const struct vu *v, enum dma_dir dir, uint64_t iova, void *buf, size_t len)
{
	const struct vu_hdr *h = (const void *)v->in;
	const struct vu_dma_rw *rw = (const void *)(h + 1);
	size_t data = dir == DMA_DEV_READ ? len : 0;

	if (h->id != v->asked || h->cmd != (dir == DMA_DEV_WRITE ? VU_DMA_WRITE : VU_DMA_READ))
		return -1;
	if (h->flags & VU_F_ERROR)
		return 0;
	if (h->size != sizeof(*h) + sizeof(*rw) + data || rw->addr != iova || rw->count != len)
		return -1;
	memcpy(buf, rw + 1, data);
	return 1;
}

/* The next whole message, within the time. Return: false if there is none, or no client any more. */
static bool next_message(struct vu *v, struct weir_deadline end)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };
	int r;

	while (!(r = vu_receive(v))) {
		if (weir_deadline_passed(end))
			return false;
		poll(&p, 1, 10);
	}
	return r > 0;
}

static int wait_for(struct vu *v, enum dma_dir dir, uint64_t iova, void *buf, size_t len)
{
	struct weir_deadline end = weir_deadline_us(ASK_US);
	int r = -1;

	while (next_message(v, end)) {
		const struct vu_hdr *h = (const void *)v->in;
		bool command = (h->flags & VU_F_TYPE_MASK) == VU_F_COMMAND;

		if (command ? !put_off(v, h->size) : v->n_fds != 0)
			break;
		if (!command)
			r = judge(v, dir, iova, buf, len);
		v->in_have = 0;
		if (!command)
			break;
	}
	return r;
}

bool vu_ask(void *arg, enum dma_dir dir, uint64_t iova, void *buf, size_t len)
{
	struct vu *v = arg;
	int r = -1;

	if (v->fd < 0 || v->lost || v->stalled)
		return false;
	v->asks++;
	if (send_request(v, dir, iova, buf, len))
		r = wait_for(v, dir, iova, buf, len);
	v->lost = r < 0;
	return r > 0;
}
