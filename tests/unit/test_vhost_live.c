/* SPDX-License-Identifier: BSD-3-Clause */
/* What a front end changes while rings are in use. */
#include "vhost_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

/* Packets have been exchanged, and rings stand where only a split ring's numbers can. */
static void begin(struct peer *p, uint16_t at)
{
	char *ring;

	peer_begin(p, false);
	for (unsigned q = 0; q < 2; q++) {
		ring = p->mem + AT_RING(q);
		((struct virtq_avail *)(void *)(ring + AT_AVAIL))->idx = weir_le16(at);
		((struct virtq_used *)(void *)(ring + AT_USED))->idx = weir_le16(at);
	}
	peer_attach(p);
	for (unsigned q = 0; q < 2; q++) {
		putnum(p, VHOST_USER_SET_VRING_ENABLE, q, 0);
		putnum(p, VHOST_USER_SET_VRING_BASE, q, at);
		putnum(p, VHOST_USER_SET_VRING_ENABLE, q, 1);
	}
	service(p);
	assert_true(linked(p));
}

/* What a ring's numbers mean does not change under it: position 60000 of a packed one is nowhere. */
static void test_features_stay(void **state)
{
	static const uint64_t change[] = { VIRTIO_F_RING_PACKED, VIRTIO_NET_F_MRG_RXBUF,
					   VIRTIO_F_VERSION_1 };
	struct weir_pkt got[4];
	struct peer p;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(change); i++) {
		begin(&p, 60000);
		put64(&p, VHOST_USER_SET_FEATURES, features(&p) ^ change[i], -1);
		service(&p);
		assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 0);
		assert_true(is_closed(&p));
		peer_end(&p);
	}
	/* The same again is no change, and once the rings are stopped all may be new. */
	begin(&p, 60000);
	put64(&p, VHOST_USER_SET_FEATURES, features(&p), -1);
	service(&p);
	assert_false(is_closed(&p));
	assert_true(linked(&p));
	for (unsigned q = 0; q < 2; q++)
		putnum(&p, VHOST_USER_GET_VRING_BASE, q, 0);
	put64(&p, VHOST_USER_SET_FEATURES, features(&p) ^ VIRTIO_F_RING_PACKED, -1);
	service(&p);
	assert_false(is_closed(&p));
	peer_end(&p);
}

/* Who sleeps until a ring has something finds it there when the ring gets live, kicked or not. */
static void test_sleeper(void **state)
{
	struct pollfd f = { .events = POLLIN };
	struct weir_pkt got[4];
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct d d = { DATA, 72, 0, 0 };

		peer_begin(&p, k);
		f.fd = weir_port_rx_intr_fd(p.e.be.port, 0);
		assert_int_equal(weir_port_rx_intr_arm(p.e.be.port, 0), 0);
		assert_int_equal(poll(&f, 1, 0), 0);
		offer(&p, 1, &d, 1);
		peer_attach(&p);
		service(&p);
		assert_int_equal(poll(&f, 1, 0), 1);
		weir_port_rx_intr_disarm(p.e.be.port, 0);
		assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 1);
		weir_pkt_free(p.e.be.cache, got, 1);
		assert_int_equal(poll(&f, 1, 0), 0);
		peer_end(&p);
	}
}

struct flags {
	int fd, stop;
};

static void *keep_blocking(void *arg)
{
	struct flags *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
		fcntl(f->fd, F_SETFL, O_RDWR);
	return NULL;
}

/* A call that is owed for the back end before us is not waited for: who has it full is woken anyway. */
static void test_owed_call(void **state)
{
	struct vhost_split_region *s;
	pthread_t t;
	struct peer p;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct flags f = { 0 };

		peer_begin(&p, false);
		p.protocol |= VHOST_PROTOCOL_F_INFLIGHT;
		p.inflight =
			(struct vhost_inflight){ .mmap_size = 8192, .queues = 2, .size = RINGSIZE };
		p.inflight_fd = memfd_create("region", MFD_CLOEXEC);
		assert_int_equal(ftruncate(p.inflight_fd, 8192), 0);
		s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, p.inflight_fd, 0);
		assert_true(s != MAP_FAILED);
		*s = (struct vhost_split_region){ .version = 1, .desc_num = RINGSIZE };
		assert_int_equal(eventfd_write(p.call[0], UINT64_MAX - 1), 0);
		f.fd = p.call[0];
		assert_int_equal(pthread_create(&t, NULL, keep_blocking, &f), 0);
		peer_attach(&p);
		alarm(20);
		service(&p);
		alarm(0);
		assert_true(linked(&p));
		__atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
		pthread_join(t, NULL);
		munmap(s, 8192);
		peer_end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features_stay),
		cmocka_unit_test(test_sleeper),
		cmocka_unit_test(test_owed_call),
	};

	return cmocka_run_group_tests_name("vhost_live", tests, NULL, NULL);
}
