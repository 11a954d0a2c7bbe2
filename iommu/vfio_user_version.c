/* SPDX-License-Identifier: BSD-3-Clause */
/* vfio-user: the first exchange, version and capabilities; the latter are JSON. */
#include "iommu/vfio_user.h"

#include <json-c/json.h>
#include <stdio.h>

#define JSON_MAX   4096
#define JSON_DEPTH 8

/* What the client takes; see struct vu_conn for what the server says. */
static int our_caps(char *out, size_t size)
{
	return snprintf(out, size,
			"{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%u,"
			"\"max_dma_maps\":%u,\"pgsizes\":%u,"
			"\"" VU_X_PASID_CAP "\":{\"bits\":%u}}}",
			VU_MAX_FDS, VU_MAX_XFER, VU_DEF_DMA_MAPS, VU_DEF_PGSIZES, VU_X_PASID_BITS);
}

/* A number from @min up; absent means @v as it is. */
static int number(struct vu_conn *c, json_object *caps, const char *key, uint64_t min, uint64_t *v)
{
	json_object *o;
	int64_t n;

	if (!json_object_object_get_ex(caps, key, &o))
		return 0;
	n = json_object_is_type(o, json_type_int) ? json_object_get_int64(o) : -1;
	if (n < 0 || (uint64_t)n < min)
		return vu_violation(c, "capability %s is %.32s", key,
				    json_object_to_json_string(o));
	*v = (uint64_t)n;
	return 0;
}

static uint32_t at_most(uint64_t v, uint32_t max)
{
	return v < max ? (uint32_t)v : max;
}

/* A server that knows of no PASIDs says nothing of them. */
static int take_pasid(struct vu_conn *c, json_object *caps)
{
	uint64_t bits = 0;
	json_object *x;
	int err;

	if (!json_object_object_get_ex(caps, VU_X_PASID_CAP, &x))
		return 0;
	if (!json_object_is_type(x, json_type_object))
		return vu_violation(c, "capability " VU_X_PASID_CAP " is no JSON object");
	err = number(c, x, "bits", 0, &bits);
	c->pasid_bits = at_most(bits, VU_X_PASID_BITS);
	return err;
}

static int take_caps(struct vu_conn *c, json_object *caps)
{
	uint64_t fds = c->max_fds, xfer = c->max_xfer, maps = c->max_maps;
	int err = number(c, caps, "max_msg_fds", 0, &fds);

	/* Registers have four bytes: less than that at a time is no way to drive a device. */
	if (!err)
		err = number(c, caps, "max_data_xfer_size", 4, &xfer);
	if (!err)
		err = number(c, caps, "max_dma_maps", 1, &maps);
	if (!err)
		err = number(c, caps, "pgsizes", 1, &c->pgsizes);
	if (!err)
		err = take_pasid(c, caps);
	c->max_fds = at_most(fds, VU_SEND_FDS);
	c->max_xfer = at_most(xfer, VU_MAX_XFER);
	c->max_maps = at_most(maps, UINT32_MAX);
	return err;
}

static int parse_caps(struct vu_conn *c, const char *text, size_t len)
{
	json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	json_object *all, *caps;
	int err = 0;

	if (!tok)
		return -ENOMEM;
	all = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(all, json_type_object))
		err = vu_violation(c, "its capabilities are no JSON object");
	else if (json_object_object_get_ex(all, "capabilities", &caps))
		err = json_object_is_type(caps, json_type_object)
			      ? take_caps(c, caps)
			      : vu_violation(c, "\"capabilities\" is no JSON object");
	json_object_put(all);
	json_tokener_free(tok);
	return err;
}

int vu_negotiate(struct vu_conn *c)
{
	struct vu_version ours = { .major = VU_MAJOR, .minor = VU_MINOR }, theirs = { .major = 0 };
	char json[256], text[JSON_MAX];
	struct vu_call call = {
		.cmd = VU_VERSION,
		.req = &ours,
		.req_len = sizeof(ours),
		.data = json,
		.data_len = (size_t)our_caps(json, sizeof(json)) + 1,
		.reply = &theirs,
		.reply_len = sizeof(theirs),
		.rdata = text,
		.rdata_len = sizeof(text),
		.min = sizeof(theirs),
	};
	size_t len;
	int err;

	c->max_fds = VU_DEF_MSG_FDS;
	c->max_xfer = VU_DEF_DATA_XFER;
	c->max_maps = VU_DEF_DMA_MAPS;
	c->pgsizes = VU_DEF_PGSIZES;
	err = vu_call(c, &call);
	if (err)
		return err;
	if (theirs.major != VU_MAJOR || theirs.minor > VU_MINOR)
		return vu_violation(c, "it speaks version %u.%u, asked was for %u.%u", theirs.major,
				    theirs.minor, VU_MAJOR, VU_MINOR);
	len = call.len - sizeof(theirs);
	if (!len)
		return 0;
	if (text[len - 1])
		return vu_violation(c, "its capabilities do not end with NUL");
	return parse_caps(c, text, len);
}
