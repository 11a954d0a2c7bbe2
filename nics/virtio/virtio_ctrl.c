/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control queue (5.1.6.5): one command at a time, polled with a deadline. Works on both ring
 * layouts by the same steps as the packet paths.
 */
#include "nics/virtio/virtio_ring.h"

/* A device answers in microseconds; one that a host emulates on a busy machine in milliseconds. */
#ifndef CTRL_TIMEOUT_US
#define CTRL_TIMEOUT_US 5000000
#endif
#define CTRL_POLL_US 20
/* Descriptors of a command: header, data, ack. */
#define CTRL_CHAIN 3

/* Put header, data and ack into the ring as a chain of three: what all devices understand. */
static uint16_t ctrl_post(struct virtio_net *v, unsigned len, const bool packed)
{
	struct virtio_ctrl_mem *m = v->ctrl.mem;
	struct virtio_vq *vq = &v->ctrl.vq;
	struct virtio_post po = vq_post_begin(vq);
	const struct weir_dma *dma = virtio_ctrl_dma(v);
	uint16_t head = vq_next_id(vq);

	vq_put(vq, &po, head, weir_dma_iova(dma, &m->class), 2, VIRTQ_DESC_F_NEXT, packed);
	vq_put(vq, &po, head, weir_dma_iova(dma, m->data), len, VIRTQ_DESC_F_NEXT, packed);
	vq_put(vq, &po, head, weir_dma_iova(dma, &m->ack), 1, VIRTQ_DESC_F_WRITE, packed);
	vq_put_head(vq, head, packed);
	vq_publish(vq, &po, packed);
	if (vq_wants_kick(vq, packed))
		vq_ring_doorbell(vq, v->t);
	return head;
}

/* Return: 1 when the command has been answered, 0 not yet, -1 if the ring is broken. */
static int ctrl_done(struct virtio_vq *vq, uint16_t head, const bool packed)
{
	struct virtio_used e;
	int r = packed ? packed_peek(vq, vq->done, &e) : split_used(vq);

	if (r <= 0)
		return r;
	if (!packed)
		split_read_used(vq, vq->used_idx++, &e);
	weir_dma_rmb();
	return e.id == head ? 1 : -1;
}

static int ctrl_wait(struct virtio_net *v, uint16_t head)
{
	struct weir_deadline end = weir_deadline_us(CTRL_TIMEOUT_US);
	struct virtio_vq *vq = &v->ctrl.vq;
	int r, err;

	for (;;) {
		r = vq->packed ? ctrl_done(vq, head, true) : ctrl_done(vq, head, false);
		if (r > 0)
			return 0;
		if (r < 0) {
			virtio_misbehaved(v, vq->index, "answer on the control queue", head,
					  vq_size(vq));
			return -EIO;
		}
		err = virtio_check(v);
		if (err)
			return err;
		if (weir_deadline_passed(end))
			break;
		weir_sleep_us(CTRL_POLL_US);
	}
	return weir_fail(v->port.w, ETIMEDOUT, "virtio-ctrl-timeout",
			 "%s: the device did not answer control command %u/%u within %u ms; stop "
			 "and start the port to use the control queue again",
			 v->port.name, v->ctrl.mem->class, v->ctrl.mem->cmd,
			 CTRL_TIMEOUT_US / 1000);
}

/* Send what stands in ctrl.mem->data. Return: 0; -EIO refused; -ETIMEDOUT; -ENODEV. */
static int ctrl_command(struct virtio_net *v, uint8_t class, uint8_t cmd, unsigned len)
{
	struct virtio_ctrl *c = &v->ctrl;
	uint16_t head;
	uint8_t ack;
	int err;

	if (c->dead)
		return weir_fail(v->port.w, EIO, "virtio-ctrl-timeout",
				 "%s: an earlier control command was never answered", v->port.name);
	c->mem->class = class;
	c->mem->cmd = cmd;
	c->mem->ack = 0xff;
	c->commands++;
	head = c->vq.packed ? ctrl_post(v, len, true) : ctrl_post(v, len, false);
	err = ctrl_wait(v, head);
	if (err) {
		c->dead = true;
		return err;
	}
	/* One chain at a time: its ids stand in the order already. */
	c->vq.done += CTRL_CHAIN;
	ack = *(volatile uint8_t *)&c->mem->ack;
	if (ack == VIRTIO_NET_OK)
		return 0;
	c->refused++;
	return weir_fail(v->port.w, EIO, "virtio-ctrl-refused",
			 "%s: the device refused control command %u/%u (answer %u)", v->port.name,
			 class, cmd, ack);
}

static int ctrl_byte(struct virtio_net *v, uint8_t class, uint8_t cmd, bool on)
{
	v->ctrl.mem->data[0] = on;
	return ctrl_command(v, class, cmd, 1);
}

int virtio_ctrl_promisc(struct virtio_net *v)
{
	return ctrl_byte(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, v->promisc);
}

int virtio_ctrl_allmulti(struct virtio_net *v)
{
	return ctrl_byte(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, v->allmulti);
}

int virtio_ctrl_mac(struct virtio_net *v)
{
	memcpy(v->ctrl.mem->data, v->mac, sizeof(v->mac));
	return ctrl_command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, sizeof(v->mac));
}

static uint8_t *put16(uint8_t *p, unsigned x)
{
	p[0] = (uint8_t)x;
	p[1] = (uint8_t)(x >> 8);
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t x)
{
	return put16(put16(p, x & 0xffff), x >> 16);
}

/* 5.1.6.5.2: a table of unicast addresses (none: our own is the device's), one of multicast. */
int virtio_ctrl_mac_table(struct virtio_net *v)
{
	uint8_t *p = v->ctrl.mem->data;

	p = put32(p, 0);
	p = put32(p, v->n_mc);
	memcpy(p, v->mc, v->n_mc * sizeof(v->mc[0]));
	p += v->n_mc * sizeof(v->mc[0]);
	return ctrl_command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
			    (unsigned)(p - v->ctrl.mem->data));
}

/* 5.1.6.5.6.4: hash types, table mask, queue for what has no hash, table, TX queues, key. */
static int ctrl_rss(struct virtio_net *v)
{
	const struct weir_rss *rss = &v->rss;
	uint8_t *p = v->ctrl.mem->data;

	p = put32(p, rss->types & v->hash_types);
	p = put16(p, rss->reta_len - 1);
	p = put16(p, 0);
	for (unsigned i = 0; i < rss->reta_len; i++)
		p = put16(p, rss->reta[i]);
	p = put16(p, virtio_pairs(v));
	*p++ = (uint8_t)rss->key_len;
	memcpy(p, rss->key, rss->key_len);
	p += rss->key_len;
	return ctrl_command(v, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG,
			    (unsigned)(p - v->ctrl.mem->data));
}

/* 5.1.6.5.6.4: hash types, reserved, key. */
static int ctrl_hash(struct virtio_net *v)
{
	const struct weir_rss *rss = &v->rss;
	uint8_t *p = v->ctrl.mem->data;

	p = put32(p, rss->types & v->hash_types);
	memset(p, 0, 8);
	p += 8;
	*p++ = (uint8_t)rss->key_len;
	memcpy(p, rss->key, rss->key_len);
	p += rss->key_len;
	return ctrl_command(v, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG,
			    (unsigned)(p - v->ctrl.mem->data));
}

/**
 * virtio_ctrl_queues() - how many queue pairs are in use, and how packets are spread over them
 * @v: started
 */
int virtio_ctrl_queues(struct virtio_net *v)
{
	int err = 0;

	static_assert(12 + 2 * WEIR_MAX_RETA + WEIR_MAX_RSS_KEY <= VIRTIO_CTRL_DATA, "rss");
	static_assert(8 + 6 * WEIR_MAX_MC_ADDRS <= VIRTIO_CTRL_DATA, "mac table");
	if (virtio_has(v, VIRTIO_NET_F_RSS))
		return ctrl_rss(v);
	if (virtio_has(v, VIRTIO_NET_F_MQ)) {
		put16(v->ctrl.mem->data, virtio_pairs(v));
		err = ctrl_command(v, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2);
	}
	if (!err && virtio_has(v, VIRTIO_NET_F_HASH_REPORT))
		err = ctrl_hash(v);
	return err;
}
