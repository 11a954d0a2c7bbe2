/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows the colon of a device string without PCI: PATH[,OPTION=VALUE...]. */
#include "nics/vhost_opts.h"
#include "core/port.h"
#include "nics/virtio_regs.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	uint64_t feature;
} switches[] = {
	{ "packed", VIRTIO_F_RING_PACKED },
	{ "in-order", VIRTIO_F_IN_ORDER },
	{ "indirect", VIRTIO_F_INDIRECT_DESC },
	{ "mergeable", VIRTIO_NET_F_MRG_RXBUF },
	{ "event-idx", VIRTIO_F_EVENT_IDX },
	{ "csum", VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM },
};

static bool parse_on(const char *v, bool *on)
{
	*on = !strcmp(v, "on");
	return *on || !strcmp(v, "off");
}

static bool parse_mac(const char *s, uint8_t mac[6])
{
	unsigned b[6];
	int end = 0;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    s[end] || b[0] & 1)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

static bool parse_number(const char *s, unsigned min, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*out = (unsigned)v;
	return *s >= '0' && *s <= '9' && !*end && v >= min && v <= max;
}

static bool parse_one(struct vhost_opts *o, const char *key, const char *value)
{
	bool on;

	if (!strcmp(key, "queues"))
		return parse_number(value, 1, WEIR_MAX_QUEUES, &o->pairs);
	if (!strcmp(key, "mac"))
		return o->has_mac = parse_mac(value, o->mac);
	if (!strcmp(key, "server"))
		return parse_on(value, &o->server);
	if (!strcmp(key, "client"))
		return parse_on(value, &o->client);
	if (!strcmp(key, "inflight"))
		return parse_on(value, &o->inflight);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(switches); i++)
		if (!strcmp(key, switches[i].name)) {
			if (!parse_on(value, &on))
				return false;
			if (!on)
				o->masked |= switches[i].feature;
			else
				o->masked &= ~switches[i].feature;
			return true;
		}
	return false;
}

static int parse_all(struct weir *w, const char *name, char *text, struct vhost_opts *o)
{
	char *save = NULL;

	for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(s, '=');

		if (eq)
			*eq = '\0';
		if (!eq || !parse_one(o, s, eq + 1))
			return weir_fail(
				w, EINVAL, "device-string",
				"%s: \"%s%s%s\" is no option: there are queues=N (1 to %u), "
				"mac=ADDRESS, server=on|off (front ends), "
				"client=on|off (back ends) and, to do without a feature, packed, "
				"in-order, indirect, mergeable, event-idx, csum and inflight=off",
				name, s, eq ? "=" : "", eq ? eq + 1 : "", WEIR_MAX_QUEUES);
	}
	return 0;
}

int vhost_opts_parse(struct weir *w, const char *name, const char *rest, struct vhost_opts *o)
{
	char *comma;
	int err = 0;

	*o = (struct vhost_opts){ .name = strdup(name), .path = strdup(rest), .inflight = true };
	if (!o->path || !o->name) {
		vhost_opts_free(o);
		return -ENOMEM;
	}
	comma = strchr(o->path, ',');
	if (comma) {
		*comma = '\0';
		err = parse_all(w, name, comma + 1, o);
	}
	if (!err && !*o->path)
		err = weir_fail(w, EINVAL, "device-string", "%s: a name or path is missing", name);
	if (err)
		vhost_opts_free(o);
	return err;
}

void vhost_opts_free(struct vhost_opts *o)
{
	free(o->name);
	free(o->path);
	o->name = o->path = NULL;
}
