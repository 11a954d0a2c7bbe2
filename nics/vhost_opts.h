/* SPDX-License-Identifier: BSD-3-Clause */
/* Options in the device strings of virtio and vhost ports that are not on the PCI bus. */
#ifndef WEIR_NICS_VHOST_OPTS_H
#define WEIR_NICS_VHOST_OPTS_H

#include "core/weir.h"

/**
 * struct vhost_opts - what a device string says behind its colon: PATH[,OPTION=VALUE...]
 * @name: the whole string
 * @path: of a socket or device, or a name
 * @masked: features to do without
 * @pairs: queue pairs at most, 0 for as many as there are
 * @server: front end: listen, the back end connects
 * @client: back end: connect to the front end, which listens
 * @inflight: in-flight tracking, on unless it is switched off
 * @mac: address, if @has_mac
 */
struct vhost_opts {
	char *name;
	char *path;
	uint64_t masked;
	unsigned pairs;
	bool server;
	bool client;
	bool inflight;
	bool has_mac;
	uint8_t mac[6];
};

/* Return: 0; -EINVAL with a sentence; -ENOMEM. End with vhost_opts_free(), on success only. */
int vhost_opts_parse(struct weir *w, const char *name, const char *rest, struct vhost_opts *o);
void vhost_opts_free(struct vhost_opts *o);

#endif
