/* SPDX-License-Identifier: BSD-3-Clause */
/* Drivers of virtio devices that are not on the PCI bus: a transport each, one driver above. */
#include "nics/virtio/virtio.h"

static int make(struct virtio_transport *t, const char *name, struct weir_port **out)
{
	int err = virtio_make(t, name, out);

	if (err)
		t->ops->close(t);
	return err;
}

static int vhost_user_open(struct weir *w, const char *name, const char *rest,
			   struct weir_port **out)
{
	struct virtio_transport *t;
	int err = virtio_user_open(w, name, rest, &t);

	return err ? err : make(t, name, out);
}

static int tap_open(struct weir *w, const char *name, const char *rest, struct weir_port **out)
{
	struct virtio_transport *t;
	int err = virtio_tap_open(w, name, rest, &t);

	return err ? err : make(t, name, out);
}

const struct weir_driver weir_tap_driver = {
	.name = "virtio",
	.scheme = "tap",
	.open = tap_open,
};

static int vdpa_open(struct weir_iommu *iommu, const char *name, const char *rest,
		     const struct weir_port_open_opts *opts, struct weir_port **out)
{
	struct virtio_transport *t;
	int err = virtio_vdpa_open(iommu, name, rest, opts, &t);

	return err ? err : make(t, name, out);
}

const struct weir_driver weir_vdpa_driver = {
	.name = "virtio",
	.scheme = "vdpa",
	.open_mapped = vdpa_open,
};

const struct weir_driver weir_vhost_user_driver = {
	.name = "virtio",
	.scheme = "vhost-user",
	.open = vhost_user_open,
};
