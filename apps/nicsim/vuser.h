/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user server: one client at a time gets the NIC. The client is not trusted: what it sends
 * is checked, and who does not keep to the protocol is answered with an error or disconnected.
 */
#ifndef WEIR_APPS_NICSIM_VUSER_H
#define WEIR_APPS_NICSIM_VUSER_H

#include "apps/nicsim/nic.h"
#include "apps/nicsim/pcicfg.h"
#include "core/weir.h"
#include "iommu/vfio_user_proto.h"

#define VU_MSG_MAX   65536u
#define VU_XFER_MAX  32768u
#define VU_FDS_MAX   64u
#define VU_FDS_TELL  16u /* QEMU refuses a server that announces more */
#define VU_N_REGIONS 9u
#define VU_N_IRQS    5u

/**
 * struct vu - a server
 * @nic: what it serves
 * @listen: where clients come from
 * @fd: the client, -1: none
 * @pages_fd: the memory of the register pages that a client may map
 * @no_mmap: offer none
 * @pasid_bits: width of PASIDs that the client and we agreed on, 0: none
 * @in, @in_have: message being received; @fds, @n_fds came with it
 * @out, @out_len: reply; @out_fd goes with it
 * @by_message: do not map the client's memory even if it comes with a file
 * @lost: the client did not serve an access to its memory as it should: it is dropped
 * @late: commands that arrived while an access was waited for
 * @asked: number of the last access; @asks: accesses so far
 * @told_event: the request or error interrupt of a fault has been sent
 * @irq: eventfds; MSI-X vectors, and one each of the others
 * @messages: received so far; @clients: accepted so far; @errors: replies that were errors
 */
struct vu {
	struct weir *w;
	struct nic nic;
	struct pcicfg cfg;
	char path[108];
	int listen, fd, pages_fd;
	bool no_mmap, by_message, versioned, stalled, told_event, lost;
	struct vu_late *late;
	uint16_t asked;
	unsigned pasid_bits;
	_Alignas(16) uint8_t in[VU_MSG_MAX];
	size_t in_have;
	int fds[VU_FDS_MAX];
	unsigned n_fds;
	_Alignas(16) uint8_t out[VU_MSG_MAX];
	size_t out_len;
	int out_fd;
	int irq[NIC_VECTORS + VU_N_IRQS];
	uint8_t msix[PCICFG_BAR_MSIX];
	uint32_t io_addr;
	uint64_t messages, clients, errors, asks;
};

/**
 * vu_open() - listen
 * @path: socket; one that nobody listens at any more is replaced
 * Return: 0, or negative errno with a sentence.
 */
int vu_open(struct weir *w, const char *path, unsigned queues, const uint8_t mac[6],
	    struct vu **out);
void vu_close(struct vu *v);

/* Take the next client if there is none. Return: whether there is one now. */
bool vu_accept(struct vu *v);

/* Receive and act on what there is. Return: messages done; -1: the client is gone. */
int vu_poll(struct vu *v);

/* For the client's memory that vanished (SIGBUS): drops the client at the next vu_poll(). */
void vu_catch_sigbus(struct vu *v);

/* Regions (vuser_dev.c): payload in @v->in, reply in @v->out. Return: 0 or negative errno. */
int vu_region_info(struct vu *v, const void *msg, size_t len);
int vu_region_read(struct vu *v, const void *msg, size_t len);
int vu_region_write(struct vu *v, const void *msg, size_t len);
int vu_irq_info(struct vu *v, const void *msg, size_t len);
int vu_irq_set(struct vu *v, const void *msg, size_t len);
int vu_device_reset(struct vu *v);
void vu_irqs_close(struct vu *v);
/* Signal an interrupt that is no MSI-X vector. Return: whether the client listens. */
bool vu_irq_tell(struct vu *v, unsigned index);
/* PASIDs (vuser_pasid.c): offer them, before the first client comes. */
void vu_set_pasid(struct vu *v, unsigned bits);
/* Look for them in the client's capabilities. */
void vu_pasid_agree(struct vu *v, const char *text, size_t len);
/* As the functions above; -EOPNOTSUPP for what is no such command, or without an agreement. */
int vu_pasid_command(struct vu *v, unsigned cmd, const void *msg, size_t len);
/* Signal an interrupt; struct nic calls it. */
void vu_raise(void *arg, unsigned vector);

/* Receive what there is of a message. Return: 1 it is whole, 0 not yet, -1 the client must go. */
int vu_receive(struct vu *v);
/* Send what is in @v->out. Return: false if the client must go. */
bool vu_send_out(struct vu *v);

/* Memory of the client by message (vuser_dma.c); see struct dma.ask. Blocks. */
bool vu_ask(void *arg, enum dma_dir dir, uint64_t iova, void *buf, size_t len);
/* The next command that had to wait, as if it had been received now. Return: whether there was one. */
bool vu_take_late(struct vu *v);
void vu_drop_late(struct vu *v);

/* Room for @len more bytes of reply; never NULL, replies are bounded. */
void *vu_out(struct vu *v, size_t len);

#endif
