/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/summary.h"

#include <inttypes.h>
#include <json-c/json.h>

typedef struct json_object jo;

struct totals {
	uint64_t rx, rx_bytes, tx, tx_bytes;
	uint64_t drops[NIC_DROP_MAX];
};

static void add_drops(struct totals *t, const struct nic_ring *r)
{
	for (unsigned i = 0; i < NIC_DROP_MAX; i++)
		t->drops[i] += r->drops[i];
}

static struct totals sum(const struct nic *n)
{
	struct totals t = { 0 };

	for (unsigned q = 0; q < n->queues; q++) {
		t.rx += n->rx[q].frames;
		t.rx_bytes += n->rx[q].bytes;
		t.tx += n->tx[q].r.frames;
		t.tx_bytes += n->tx[q].r.bytes;
		add_drops(&t, &n->rx[q]);
		add_drops(&t, &n->tx[q].r);
	}
	return t;
}

void summary_line(const struct vu *v, FILE *to)
{
	struct totals t = sum(&v->nic);
	uint64_t lost = 0;

	for (unsigned i = 0; i < NIC_DROP_MAX; i++)
		lost += t.drops[i];
	fprintf(to,
		"to driver %" PRIu64 ", from driver %" PRIu64 ", dropped %" PRIu64
		", DMA faults %" PRIu64 "%s\n",
		t.rx, t.tx, lost, v->nic.dma.faults, v->fd < 0 ? ", no driver" : "");
}

static void put(jo *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static jo *fault_json(const struct dma_fault *f)
{
	jo *o = json_object_new_object();
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, f->iova);
	json_object_object_add(o, "iova", json_object_new_string(text));
	put(o, "bytes", f->len);
	json_object_object_add(o, "side", json_object_new_string(f->who.tx ? "tx" : "rx"));
	put(o, "queue", f->who.queue);
	put(o, "pasid", f->who.pasid);
	json_object_object_add(o, "access",
			       json_object_new_string(f->dir == DMA_DEV_READ ? "read" : "write"));
	json_object_object_add(o, "why", json_object_new_string(f->why));
	return o;
}

static jo *queues_json(const struct nic *n)
{
	jo *a = json_object_new_array();

	for (unsigned q = 0; q < n->queues; q++) {
		const struct nic_ring *r = &n->rx[q], *t = &n->tx[q].r;
		jo *o = json_object_new_object();

		put(o, "queue", q);
		put(o, "rx", r->frames);
		put(o, "rx_bytes", r->bytes);
		put(o, "tx", t->frames);
		put(o, "tx_bytes", t->bytes);
		json_object_array_add(a, o);
	}
	return a;
}

static jo *drops_json(const struct totals *t)
{
	jo *o = json_object_new_object();

	for (unsigned i = 0; i < NIC_DROP_MAX; i++)
		put(o, nic_drop_name(i), t->drops[i]);
	return o;
}

static jo *wire_json(const struct wire *w)
{
	jo *o = json_object_new_object();

	put(o, "to_nic", w->rx);
	put(o, "to_nic_bytes", w->rx_bytes);
	put(o, "from_nic", w->tx);
	put(o, "from_nic_bytes", w->tx_bytes);
	put(o, "lost", w->lost);
	json_object_object_add(o, "done", json_object_new_boolean(w->done));
	return o;
}

static void print_json(const struct vu *v, const struct totals *t, FILE *to)
{
	const struct nic *n = &v->nic;
	jo *o = json_object_new_object(), *faults = json_object_new_array();
	jo *unknown = json_object_new_array();

	put(o, "rx", t->rx);
	put(o, "rx_bytes", t->rx_bytes);
	put(o, "tx", t->tx);
	put(o, "tx_bytes", t->tx_bytes);
	json_object_object_add(o, "wire", wire_json(n->wire));
	json_object_object_add(o, "queues", queues_json(n));
	json_object_object_add(o, "drops", drops_json(t));
	put(o, "dma_accesses", n->dma.ops);
	put(o, "dma_faults", n->dma.faults);
	for (unsigned i = 0; i < n->dma.faults && i < DMA_KEEP; i++)
		json_object_array_add(faults, fault_json(&n->dma.kept[i]));
	json_object_object_add(o, "faults", faults);
	put(o, "stopped_queues", n->pasid_stops);
	put(o, "interrupts", n->raised);
	put(o, "register_accesses", n->accesses);
	put(o, "unknown_registers", n->unknown);
	for (unsigned i = 0; i < n->n_unknown; i++)
		json_object_array_add(unknown, json_object_new_int((int)n->unknown_off[i]));
	json_object_object_add(o, "unknown_offsets", unknown);
	put(o, "messages", v->messages);
	put(o, "dma_messages", v->asks);
	put(o, "refused_messages", v->errors);
	put(o, "clients", v->clients);
	fprintf(to, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
	json_object_put(o);
}

static void print_text(const struct vu *v, const struct totals *t, FILE *to)
{
	const struct nic *n = &v->nic;

	fprintf(to, "%-7s %12s %15s %12s %15s\n", "QUEUE", "TO-DRIVER", "BYTES", "FROM-DRIVER",
		"BYTES");
	for (unsigned q = 0; q < n->queues; q++) {
		const struct nic_ring *r = &n->rx[q], *x = &n->tx[q].r;

		if (r->frames || x->frames)
			fprintf(to,
				"%-7u %12" PRIu64 " %15" PRIu64 " %12" PRIu64 " %15" PRIu64 "\n", q,
				r->frames, r->bytes, x->frames, x->bytes);
	}
	fprintf(to, "%-7s %12" PRIu64 " %15" PRIu64 " %12" PRIu64 " %15" PRIu64 "\n", "all", t->rx,
		t->rx_bytes, t->tx, t->tx_bytes);
	for (unsigned i = 0; i < NIC_DROP_MAX; i++)
		if (t->drops[i])
			fprintf(to, "dropped, %s: %" PRIu64 "\n", nic_drop_name(i), t->drops[i]);
	fprintf(to, "DMA faults: %" PRIu64 " of %" PRIu64 " accesses\n", n->dma.faults, n->dma.ops);
	for (unsigned i = 0; i < n->dma.faults && i < DMA_KEEP; i++) {
		const struct dma_fault *f = &n->dma.kept[i];

		fprintf(to, "  %s queue %u, PASID %u, %s of %zu bytes at 0x%" PRIx64 ": %s\n",
			f->who.tx ? "TX" : "RX", f->who.queue, f->who.pasid,
			f->dir == DMA_DEV_READ ? "read" : "write", f->len, f->iova, f->why);
	}
	if (n->pasid_bits)
		fprintf(to, "queue pairs stopped for a fault: %" PRIu64 "\n", n->pasid_stops);
	fprintf(to, "registers: %" PRIu64 " accesses, %" PRIu64 " to unknown ones", n->accesses,
		n->unknown);
	for (unsigned i = 0; i < n->n_unknown; i++)
		fprintf(to, "%s0x%05x", i ? " " : ": ", n->unknown_off[i]);
	fputc('\n', to);
	fprintf(to, "interrupts: %" PRIu64 "; messages: %" PRIu64 ", %" PRIu64 " refused\n",
		n->raised, v->messages, v->errors);
}

struct wire *summary_print(struct vu *v, bool json, FILE *to)
{
	struct totals t = sum(&v->nic);

	if (json)
		print_json(v, &t, to);
	else
		print_text(v, &t, to);
	fflush(to);
	return v->nic.wire;
}
