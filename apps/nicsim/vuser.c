/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/vuser.h"

#include <json-c/json.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fcntl.h>

/* A client that reads no replies for so long is dropped. */
#define REPLY_MS 1000
#define CTRL_FDS 253 /* more than the kernel lets through at once */

void *vu_out(struct vu *v, size_t len)
{
	void *p = v->out + v->out_len;

	memset(p, 0, len);
	v->out_len += len;
	return p;
}

/* --- memory of the client that vanished --- */

static struct vu *sigbus_vu;
static volatile sig_atomic_t sigbus_seen;

/* Put zeroes in its place, so that the access can be repeated, and leave the rest to vu_poll(). */
static void on_sigbus(int sig, siginfo_t *info, void *ctx)
{
	const struct dma_map *m = dma_find_va(&sigbus_vu->nic.dma, info->si_addr);

	(void)ctx;
	if (m &&
	    mmap(m->file_va, m->file_len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED) {
		sigbus_seen = 1;
		return;
	}
	signal(sig, SIG_DFL);
}

void vu_catch_sigbus(struct vu *v)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigbus_vu = v;
	sigaction(SIGBUS, &sa, NULL);
}

/* --- commands --- */

static struct json_object *capabilities(const struct vu *v)
{
	struct json_object *o = json_object_new_object(), *c = json_object_new_object();
	struct json_object *x;

	json_object_object_add(c, "max_msg_fds", json_object_new_int(VU_FDS_TELL));
	json_object_object_add(c, "max_data_xfer_size", json_object_new_int(VU_XFER_MAX));
	json_object_object_add(c, "max_dma_maps", json_object_new_int(DMA_MAPS_MAX));
	json_object_object_add(c, "pgsizes", json_object_new_int(4096));
	if (v->pasid_bits) {
		x = json_object_new_object();
		json_object_object_add(x, "bits", json_object_new_int((int)v->pasid_bits));
		json_object_object_add(c, VU_X_PASID_CAP, x);
	}
	json_object_object_add(o, "capabilities", c);
	return o;
}

static int version(struct vu *v, const void *msg, size_t len)
{
	const struct vu_version *in = msg;
	struct json_object *o;
	struct vu_version *out;
	const char *text;

	if (v->versioned || len < sizeof(*in) || in->major != VU_MAJOR)
		return -EINVAL;
	if (len > sizeof(*in) && ((const char *)msg)[len - 1])
		return -EINVAL;
	out = vu_out(v, sizeof(*out));
	out->major = VU_MAJOR;
	out->minor = VU_MINOR;
	vu_pasid_agree(v, (const char *)msg + sizeof(*in), len - sizeof(*in));
	o = capabilities(v);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	memcpy(vu_out(v, strlen(text) + 1), text, strlen(text) + 1);
	json_object_put(o);
	v->versioned = true;
	return 0;
}

static int dma_map_msg(struct vu *v, const void *msg, size_t len)
{
	const struct vu_dma_map *m = msg;

	if (len < sizeof(*m) || m->argsz < sizeof(*m) || v->n_fds > 1 ||
	    m->flags & ~(VU_DMA_READABLE | VU_DMA_WRITEABLE))
		return -EINVAL;
	return dma_map(&v->nic.dma, m->addr, m->size, m->flags,
		       v->n_fds && !v->by_message ? v->fds[0] : -1, m->offset);
}

static int dma_unmap_msg(struct vu *v, const void *msg, size_t len)
{
	const struct vu_dma_unmap *m = msg;
	int err = 0;

	if (len < sizeof(*m) || m->argsz < sizeof(*m))
		return -EINVAL;
	if (m->flags & ~2u)
		return -EOPNOTSUPP;
	if (m->flags & 2) {
		if (m->addr || m->size)
			return -EINVAL;
		dma_unmap_all(&v->nic.dma);
	} else {
		err = dma_unmap(&v->nic.dma, m->addr, m->size);
	}
	/* As with the kernel's VFIO: QEMU takes back all that a virtual IOMMU could have mapped. */
	if (err == -ENOENT)
		err = 0;
	if (!err)
		memcpy(vu_out(v, sizeof(*m)), m, sizeof(*m));
	return err;
}

static int device_info(struct vu *v, const void *msg, size_t len)
{
	const struct vu_device_info *in = msg;
	struct vu_device_info *out;

	if (len < sizeof(in->argsz) || in->argsz < sizeof(*in))
		return -EINVAL;
	out = vu_out(v, sizeof(*out));
	out->argsz = sizeof(*out);
	out->flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	out->num_regions = VU_N_REGIONS;
	out->num_irqs = VU_N_IRQS;
	return 0;
}

static int command(struct vu *v, unsigned cmd, const void *msg, size_t len)
{
	switch (cmd) {
	case VU_VERSION:
		return version(v, msg, len);
	case VU_DMA_MAP:
		return dma_map_msg(v, msg, len);
	case VU_DMA_UNMAP:
		return dma_unmap_msg(v, msg, len);
	case VU_GET_INFO:
		return device_info(v, msg, len);
	case VU_GET_REGION_INFO:
		return vu_region_info(v, msg, len);
	case VU_GET_IRQ_INFO:
		return vu_irq_info(v, msg, len);
	case VU_SET_IRQS:
		return vu_irq_set(v, msg, len);
	case VU_REGION_READ:
		return vu_region_read(v, msg, len);
	case VU_REGION_WRITE:
		return vu_region_write(v, msg, len);
	case VU_RESET:
		return vu_device_reset(v);
	default:
		return vu_pasid_command(v, cmd, msg, len);
	}
}

/* --- the socket --- */

static void drop_fds(struct vu *v)
{
	for (unsigned i = 0; i < v->n_fds; i++)
		if (v->fds[i] >= 0)
			close(v->fds[i]);
	v->n_fds = 0;
}

/* The client is gone: nothing of it stays. */
static int hang_up(struct vu *v)
{
	if (v->fd < 0)
		return -1;
	close(v->fd);
	v->fd = -1;
	drop_fds(v);
	vu_drop_late(v);
	vu_irqs_close(v);
	dma_unmap_all(&v->nic.dma);
	dma_pasid_end(&v->nic.dma);
	pcicfg_init(&v->cfg, v->nic.mac);
	v->nic.bus_master = false;
	nic_reset(&v->nic);
	sigbus_seen = 0;
	return -1;
}

/* All of it goes, or the client does. */
static bool transmit(struct vu *v, struct msghdr *mh)
{
	struct pollfd p = { .fd = v->fd, .events = POLLOUT };

	while (mh->msg_iov->iov_len) {
		ssize_t n = sendmsg(v->fd, mh, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			mh->msg_iov->iov_base = (char *)mh->msg_iov->iov_base + n;
			mh->msg_iov->iov_len -= (size_t)n;
			mh->msg_control = NULL;
			mh->msg_controllen = 0;
		} else if (errno == EAGAIN) {
			if (poll(&p, 1, REPLY_MS) <= 0)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool vu_send_out(struct vu *v)
{
	struct iovec iov = { .iov_base = v->out, .iov_len = v->out_len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	return transmit(v, &mh);
}

static bool reply(struct vu *v, const struct vu_hdr *cmd, int err)
{
	struct vu_hdr *h = (void *)v->out;
	struct iovec iov = { .iov_base = v->out };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl;

	if (err) {
		v->errors++;
		v->out_len = sizeof(*h);
		v->out_fd = -1;
	}
	*h = (struct vu_hdr){
		.id = cmd->id,
		.cmd = cmd->cmd,
		.size = (uint32_t)v->out_len,
		.flags = VU_F_REPLY | (err ? VU_F_ERROR : 0),
		.error = (uint32_t)-err,
	};
	iov.iov_len = v->out_len;
	if (v->out_fd >= 0) {
		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = sizeof(ctl.buf);
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), &v->out_fd, sizeof(int));
	}
	return transmit(v, &mh);
}

/* File descriptors that came along. More than fit are closed, and the message is refused. */
static bool collect(struct vu *v, struct msghdr *mh)
{
	bool ok = !(mh->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (v->n_fds < VU_FDS_MAX) {
				v->fds[v->n_fds++] = fd;
			} else {
				close(fd);
				ok = false;
			}
		}
	}
	return ok;
}

/* Receive up to @want bytes of the message. Return: 1 all there, 0 later, -1 end. */
static int receive(struct vu *v, size_t want)
{
	while (v->in_have < want) {
		union {
			struct cmsghdr align;
			char buf[CMSG_SPACE(CTRL_FDS * sizeof(int))];
		} ctl;
		struct iovec iov = { v->in + v->in_have, want - v->in_have };
		struct msghdr mh = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = ctl.buf,
			.msg_controllen = sizeof(ctl.buf),
		};
		ssize_t n = recvmsg(v->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0 || !collect(v, &mh))
			return -1;
		v->in_have += (size_t)n;
	}
	return 1;
}

int vu_receive(struct vu *v)
{
	int r = receive(v, sizeof(struct vu_hdr));
	uint32_t size;

	if (r <= 0)
		return r;
	size = ((const struct vu_hdr *)(const void *)v->in)->size;
	return size < sizeof(struct vu_hdr) || size > VU_MSG_MAX ? -1 : receive(v, size);
}

static bool misbehaves(struct vu *v)
{
	enum nic_fault f = v->nic.fault;

	if ((f == FAULT_STALL && v->messages >= v->nic.fault_arg) ||
	    (f == FAULT_STALL_FRAME && v->nic.fault_seen >= v->nic.fault_arg))
		v->stalled = true;
	return f == FAULT_GONE && v->messages == v->nic.fault_arg;
}

/* What is wanted of the client, or befell the device: by its own interrupt. */
static void tell_event(struct vu *v)
{
	enum nic_fault f = v->nic.fault;

	if ((f != FAULT_REQUEST && f != FAULT_ERROR) || v->told_event ||
	    v->nic.fault_seen < v->nic.fault_arg)
		return;
	v->told_event = vu_irq_tell(v, f == FAULT_REQUEST ? VFIO_PCI_REQ_IRQ_INDEX
							  : VFIO_PCI_ERR_IRQ_INDEX);
}

/* A whole message is there. Return: false if the client must go. */
static bool act(struct vu *v, const struct vu_hdr *h)
{
	int err;

	v->messages++;
	if (misbehaves(v))
		return false;
	if (v->stalled)
		return true;
	/* The client's writes to the mapped pages came before this message. */
	nic_sync(&v->nic);
	v->out_len = sizeof(*h);
	v->out_fd = -1;
	if ((h->flags & VU_F_TYPE_MASK) != VU_F_COMMAND)
		return false;
	if (!v->versioned && h->cmd != VU_VERSION)
		err = -EINVAL;
	else
		err = command(v, h->cmd, v->in + sizeof(*h), h->size - sizeof(*h));
	if (h->flags & VU_F_NO_REPLY)
		return true;
	/* Without a common version there is nothing more to say. */
	return reply(v, h, err) && v->versioned;
}

int vu_poll(struct vu *v)
{
	struct vu_hdr h;
	int done = 0;

	if (sigbus_seen) {
		weir_log(v->w, WEIR_LOG_ERR, "dma-gone",
			 "the client took back memory that it had given; disconnecting it");
		return hang_up(v);
	}
	if (v->lost)
		return hang_up(v);
	if (v->nic.fault == FAULT_GONE_FRAME && v->nic.fault_seen >= v->nic.fault_arg)
		return hang_up(v);
	tell_event(v);
	while (v->fd >= 0 && done < 64) {
		int r = vu_take_late(v) ? 1 : vu_receive(v);

		if (r < 0)
			return hang_up(v);
		if (!r)
			return done;
		memcpy(&h, v->in, sizeof(h));
		if (!act(v, &h))
			return hang_up(v);
		drop_fds(v);
		v->in_have = 0;
		done++;
	}
	return done;
}

bool vu_accept(struct vu *v)
{
	if (v->fd >= 0 || v->listen < 0)
		return v->fd >= 0;
	v->fd = accept4(v->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (v->fd < 0)
		return false;
	v->in_have = 0;
	v->versioned = v->stalled = v->told_event = false;
	v->clients++;
	return true;
}

/* --- coming and going --- */

static int listen_at(struct vu *v, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int probe;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	v->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->listen < 0)
		return -errno;
	if (bind(v->listen, (const void *)&a, sizeof(a)) && errno == EADDRINUSE) {
		/* Left behind by a server that was killed, or in use? */
		probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (probe < 0 || !connect(probe, (const void *)&a, sizeof(a)) ||
		    errno != ECONNREFUSED) {
			if (probe >= 0)
				close(probe);
			return -EADDRINUSE;
		}
		close(probe);
		unlink(path);
		if (bind(v->listen, (const void *)&a, sizeof(a)))
			return -errno;
	}
	strcpy(v->path, path);
	return listen(v->listen, 1) ? -errno : 0;
}

/* Sealed, so that a client cannot take the memory away from under us. */
static int make_pages(struct vu *v, void *pages[2])
{
	static const unsigned at[2] = { R_RXQ, R_TXQ };

	v->pages_fd = memfd_create("nicsim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (v->pages_fd < 0 || ftruncate(v->pages_fd, NIC_BAR0) ||
	    fcntl(v->pages_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		pages[i] = mmap(NULL, NIC_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->pages_fd,
				at[i]);
		if (pages[i] == MAP_FAILED)
			return -errno;
	}
	return 0;
}

void vu_close(struct vu *v)
{
	if (!v)
		return;
	hang_up(v);
	if (v->listen >= 0) {
		close(v->listen);
		if (*v->path)
			unlink(v->path);
	}
	nic_fini(&v->nic);
	for (unsigned i = 0; i < 2; i++)
		if (v->nic.page[i])
			munmap((void *)(uintptr_t)v->nic.page[i], NIC_PAGE);
	if (v->pages_fd >= 0)
		close(v->pages_fd);
	free(v);
}

int vu_open(struct weir *w, const char *path, unsigned queues, const uint8_t mac[6],
	    struct vu **out)
{
	struct vu *v = calloc(1, sizeof(*v));
	void *pages[2] = { NULL, NULL };
	int err;

	if (!v)
		return -ENOMEM;
	v->w = w;
	v->listen = v->fd = v->pages_fd = v->out_fd = -1;
	memset(v->irq, 0xFF, sizeof(v->irq));
	err = make_pages(v, pages);
	if (!err) {
		nic_init(&v->nic, queues, mac, pages);
		pcicfg_init(&v->cfg, mac);
		v->nic.raise = vu_raise;
		v->nic.raise_arg = v;
		v->nic.dma.ask = vu_ask;
		v->nic.dma.ask_arg = v;
		err = listen_at(v, path);
	}
	if (err) {
		weir_fail(w, err, "nicsim-socket", "cannot serve at %s: %s", path,
			  weir_strerror(err));
		vu_close(v);
		return err;
	}
	*out = v;
	return 0;
}
