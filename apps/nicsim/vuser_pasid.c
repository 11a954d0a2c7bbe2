/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces by PASID, weir's own addition to vfio-user: agreed on first, then used. */
#include "apps/nicsim/vuser.h"

#include <json-c/json.h>

#define JSON_DEPTH 8

void vu_set_pasid(struct vu *v, unsigned bits)
{
	v->nic.pasid_bits = bits;
	v->cfg.pasid_bits = bits;
	v->cfg.pasid_queues = v->nic.queues;
	v->cfg.pasid_at = R_XPASID;
	pcicfg_init(&v->cfg, v->nic.mac);
}

/* Width that a client's capabilities name, 0 without. */
static unsigned wanted(struct json_object *all)
{
	struct json_object *caps, *x, *bits;
	int64_t n;

	if (!json_object_object_get_ex(all, "capabilities", &caps) ||
	    !json_object_object_get_ex(caps, VU_X_PASID_CAP, &x) ||
	    !json_object_object_get_ex(x, "bits", &bits) ||
	    !json_object_is_type(bits, json_type_int))
		return 0;
	n = json_object_get_int64(bits);
	return n < 0 ? 0 : n > VU_X_PASID_BITS ? VU_X_PASID_BITS : (unsigned)n;
}

/* What is no JSON names nothing; other capabilities of a client are not looked at either. */
void vu_pasid_agree(struct vu *v, const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *all;

	v->pasid_bits = 0;
	if (!tok)
		return;
	all = json_tokener_parse_ex(tok, text, (int)len);
	if (v->nic.pasid_bits && json_tokener_get_error(tok) == json_tokener_success)
		v->pasid_bits = weir_min_u(wanted(all), v->nic.pasid_bits);
	json_object_put(all);
	json_tokener_free(tok);
}

/* The table that a message is about; NULL: there is none. */
static struct dma *table(struct vu *v, const struct vu_pasid *p)
{
	return p->pasid ? dma_pasid(&v->nic.dma, p->pasid) : NULL;
}

static int attach(struct vu *v, const struct vu_pasid *p)
{
	if (p->flags || p->pasid >> v->pasid_bits)
		return -EINVAL;
	return dma_pasid_add(&v->nic.dma, p->pasid);
}

static int map(struct vu *v, const struct vu_pasid_map *m)
{
	struct dma *d = table(v, &m->p);

	if (m->p.flags & ~(VU_DMA_READABLE | VU_DMA_WRITEABLE) || v->n_fds != 1)
		return -EINVAL;
	return d ? dma_map(d, m->addr, m->size, m->p.flags, v->fds[0], m->offset) : -ENOENT;
}

static int unmap(struct vu *v, const struct vu_pasid_unmap *m)
{
	struct dma *d = table(v, &m->p);

	if (m->p.flags)
		return -EINVAL;
	return d ? dma_unmap(d, m->addr, m->size) : -ENOENT;
}

static int replace(struct vu *v, const struct vu_pasid_replace *m)
{
	if (m->p.flags || m->reserved || !m->p.pasid || !m->with)
		return -EINVAL;
	return dma_pasid_replace(&v->nic.dma, m->p.pasid, m->with);
}

int vu_pasid_command(struct vu *v, unsigned cmd, const void *msg, size_t len)
{
	static const size_t need[] = {
		[VU_X_PASID_ATTACH - VU_X_PASID_ATTACH] = sizeof(struct vu_pasid),
		[VU_X_PASID_DETACH - VU_X_PASID_ATTACH] = sizeof(struct vu_pasid),
		[VU_X_PASID_MAP - VU_X_PASID_ATTACH] = sizeof(struct vu_pasid_map),
		[VU_X_PASID_UNMAP - VU_X_PASID_ATTACH] = sizeof(struct vu_pasid_unmap),
		[VU_X_PASID_REPLACE - VU_X_PASID_ATTACH] = sizeof(struct vu_pasid_replace),
	};
	const struct vu_pasid *p = msg;
	unsigned i = cmd - VU_X_PASID_ATTACH;

	if (!v->pasid_bits || i >= WEIR_ARRAY_SIZE(need))
		return -EOPNOTSUPP;
	if (len < need[i] || p->argsz < need[i] || p->reserved)
		return -EINVAL;
	switch (cmd) {
	case VU_X_PASID_ATTACH:
		return attach(v, p);
	case VU_X_PASID_DETACH:
		return p->flags ? -EINVAL : dma_pasid_del(&v->nic.dma, p->pasid);
	case VU_X_PASID_MAP:
		return map(v, msg);
	case VU_X_PASID_REPLACE:
		return replace(v, msg);
	default:
		return unmap(v, msg);
	}
}
