/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that were opened for this process: by number, as a shell or a container runtime hands them
 * in, or by name, as systemd does (OpenFile=, FileDescriptorName=; sd_listen_fds(3)).
 */
#ifndef WEIR_APPS_HANDED_H
#define WEIR_APPS_HANDED_H

#include "core/weir.h"

/* The number of a handed-in file, "7" or "nic0". Return: it; -ENOENT, -EBADF with a sentence. */
int handed_fd(struct weir *w, const char *s);

/**
 * handed_device() - a device string with names in place of numbers resolved
 * @dev: "fd:nic0", "fd:nic0,bdf=0000:03:00.0", "vfio-user:fd=sock", or anything else
 * @out: what weir_port_open() takes: "fd:7", ...; free() it
 * Return: 0; -ENOENT, -EBADF with a sentence; -ENOMEM.
 */
int handed_device(struct weir *w, const char *dev, char **out);

#endif
