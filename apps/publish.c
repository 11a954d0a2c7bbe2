/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/publish.h"
#include "core/clock.h"
#include "core/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Twice as often as `weir top` looks: it always finds something newer. */
#define TICK_NS 500000000ull

/* --- whose file --- */

/* When a process began, in ticks since boot: with the id it names a process for good. */
static uint64_t start_time(struct weir *w, const char *pid)
{
	char path[PATH_MAX], text[1024];
	unsigned long long v = 0;
	const char *s;

	weir_path(path, "%s/%s/stat", weir_proc(w), pid);
	if (weir_file_read(path, text, sizeof(text)))
		return 0;
	/* proc(5): the name in parentheses may hold anything; starttime is the 20th field after. */
	s = strrchr(text, ')');
	for (unsigned i = 0; s && i < 20; i++)
		s = strchr(s + 1, ' ');
	return s && sscanf(s, "%llu", &v) == 1 ? v : 0;
}

/* "pid:[4026531836]", or "" where that cannot be told. */
static void pid_namespace(struct weir *w, char *out, size_t size)
{
	char dir[PATH_MAX];

	weir_path(dir, "%s/self/ns", weir_proc(w));
	if (weir_link_base(dir, "pid", out, size))
		out[0] = '\0';
}

static int file_of(struct weir *w, const char *suffix, char path[PATH_MAX])
{
	return weir_path(path, "%s/%d.json%s", weir_run(w), (int)getpid(), suffix);
}

/* --- writing --- */

static json_object *hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)v);
	return json_object_new_string(text);
}

static json_object *mapping_json(const struct weir_mapping *m)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "iova", hex((uint64_t)m->iova));
	json_object_object_add(o, "bytes", json_object_new_uint64(m->len));
	json_object_object_add(o, "read", json_object_new_boolean(m->prot & WEIR_PROT_READ));
	json_object_object_add(o, "write", json_object_new_boolean(m->prot & WEIR_PROT_WRITE));
	json_object_object_add(o, "source",
			       json_object_new_string(weir_map_source_name(m->source)));
	json_object_object_add(o, "copied", json_object_new_boolean(m->copied));
	if (m->page_size)
		json_object_object_add(o, "page_bytes", json_object_new_uint64(m->page_size));
	if (m->iommu_page)
		json_object_object_add(o, "iommu_page_bytes",
				       json_object_new_uint64(m->iommu_page));
	return o;
}

static json_object *space_json(struct weir_ioas *as, unsigned number)
{
	json_object *o = json_object_new_object(), *maps = json_object_new_array();
	struct weir_mapping m;

	json_object_object_add(o, "space", json_object_new_int((int)number));
	json_object_object_add(o, "mode",
			       json_object_new_string(weir_mode_name(weir_ioas_mode(as))));
	if (weir_ioas_id(as))
		json_object_object_add(o, "ioas", json_object_new_int((int)weir_ioas_id(as)));
	json_object_object_add(o, "bytes", json_object_new_uint64(weir_ioas_mapped(as)));
	for (bool more = weir_ioas_map_next(as, NULL, &m); more;
	     more = weir_ioas_map_next(as, &m, &m))
		json_object_array_add(maps, mapping_json(&m));
	json_object_object_add(o, "mappings", maps);
	return o;
}

/* Its place in the list of spaces; -1 for none. */
static json_object *space_number(struct weir_iommu *iommu, const struct weir_ioas *as)
{
	unsigned n = 0;

	for (struct weir_ioas *s = weir_ioas_next(iommu, NULL); s; s = weir_ioas_next(iommu, s)) {
		if (s == as)
			return json_object_new_int((int)n);
		n++;
	}
	return json_object_new_int(-1);
}

static json_object *device_json(struct weir_iommu *iommu, const struct rt_port *p)
{
	json_object *o = json_object_new_object(), *pasids = json_object_new_array();
	struct weir_iodev *d = weir_pci_iodev(weir_port_pci(p->port));

	json_object_object_add(o, "device", json_object_new_string(weir_iodev_name(d)));
	json_object_object_add(o, "driver", json_object_new_string(p->caps.driver));
	json_object_object_add(o, "mode",
			       json_object_new_string(weir_mode_name(weir_iodev_mode(d))));
	json_object_object_add(o, "space", space_number(iommu, weir_iodev_ioas(d)));
	for (uint32_t n = weir_iodev_pasid_next(d, WEIR_PASID_NONE); n != WEIR_PASID_NONE;
	     n = weir_iodev_pasid_next(d, n)) {
		json_object *e = json_object_new_object();

		json_object_object_add(e, "pasid", json_object_new_int((int)n));
		json_object_object_add(e, "space",
				       space_number(iommu, weir_iodev_pasid_ioas(d, n)));
		json_object_array_add(pasids, e);
	}
	json_object_object_add(o, "pasids", pasids);
	return o;
}

static json_object *side_json(const struct weir_qstats *s)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "packets", json_object_new_uint64(s->packets));
	json_object_object_add(o, "bytes", json_object_new_uint64(s->bytes));
	return o;
}

/* Sums over the queues; of drops only the reasons that there were. */
static json_object *port_json(const struct rt_port *p, unsigned queues)
{
	json_object *o = json_object_new_object(), *drops = json_object_new_object();
	uint64_t dropped[WEIR_DROP_MAX] = { 0 };
	struct rt_sides sum = { 0 }, s;

	for (unsigned q = 0; q < queues; q++) {
		rt_sides(p, q, &s);
		sum.rx.packets += s.rx.packets;
		sum.rx.bytes += s.rx.bytes;
		sum.tx.packets += s.tx.packets;
		sum.tx.bytes += s.tx.bytes;
		for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
			dropped[i] += s.rx.drops[i] + s.tx.drops[i];
	}
	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		if (dropped[i])
			json_object_object_add(drops, weir_drop_name(i),
					       json_object_new_uint64(dropped[i]));
	json_object_object_add(o, "name", json_object_new_string(p->name));
	json_object_object_add(o, "here", json_object_new_boolean(p->port != NULL));
	json_object_object_add(o, "rx", side_json(&sum.rx));
	json_object_object_add(o, "tx", side_json(&sum.tx));
	json_object_object_add(o, "drops", drops);
	return o;
}

static json_object *run_json(struct rt *rt)
{
	json_object *o = json_object_new_object(), *devs = json_object_new_array();
	json_object *spaces = json_object_new_array(), *ports = json_object_new_array();
	unsigned n = 0;
	char ns[64];

	pid_namespace(rt->w, ns, sizeof(ns));
	json_object_object_add(o, "pid", json_object_new_int((int)getpid()));
	json_object_object_add(o, "start", json_object_new_uint64(start_time(rt->w, "self")));
	json_object_object_add(o, "pid_namespace", json_object_new_string(ns));
	json_object_object_add(o, "weir", json_object_new_string(WEIR_VERSION));
	for (unsigned i = 0; i < rt->n_ports; i++)
		if (rt->ports[i].port && weir_port_pci(rt->ports[i].port))
			json_object_array_add(devs, device_json(rt->iommu, &rt->ports[i]));
	for (struct weir_ioas *s = weir_ioas_next(rt->iommu, NULL); s;
	     s = weir_ioas_next(rt->iommu, s))
		json_object_array_add(spaces, space_json(s, n++));
	for (unsigned i = 0; i < rt->n_ports; i++)
		json_object_array_add(ports, port_json(&rt->ports[i], rt->o.queues));
	json_object_object_add(o, "time_ns", json_object_new_uint64(weir_now_ns()));
	json_object_object_add(o, "ports", ports);
	json_object_object_add(o, "devices", devs);
	json_object_object_add(o, "spaces", spaces);
	return o;
}

static int write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	int err = 0;

	if (!f)
		return -errno;
	if (fprintf(f, "%s\n", text) < 0)
		err = -EIO;
	return fclose(f) && !err ? -errno : err;
}

void publish_update(struct rt *rt)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	json_object *o = run_json(rt);
	int err;

	mkdir(weir_run(rt->w), 0755);
	if (file_of(rt->w, "", path) || file_of(rt->w, ".new", tmp))
		err = -ENAMETOOLONG;
	else
		err = write_file(tmp,
				 json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	/* Whoever reads meanwhile sees the old one or the new one, whole. */
	if (!err && rename(tmp, path))
		err = -errno;
	if (err) {
		/* Rather nothing than what is no longer so; a full disk may have room the next time. */
		unlink(tmp);
		unlink(path);
		if (!rt->unpublished)
			weir_info(rt->w,
				  "%s cannot be written (%s): `weir list --tree` and `weir top` "
				  "do not show this process until it can",
				  path, weir_strerror(err));
	}
	rt->unpublished = err != 0;
	json_object_put(o);
	rt->published_ns = weir_now_ns();
}

void publish_tick(struct rt *rt)
{
	if (rt->published_ns && weir_now_ns() - rt->published_ns > TICK_NS)
		publish_update(rt);
}

void publish_end(struct rt *rt)
{
	char path[PATH_MAX];

	if (!file_of(rt->w, "", path))
		unlink(path);
}

/* --- reading --- */

static bool text_is(json_object *o, const char *key, const char *value)
{
	json_object *e;

	return json_object_object_get_ex(o, key, &e) && json_object_is_type(e, json_type_string) &&
	       !strcmp(json_object_get_string(e), value);
}

/* The object in a file, if it is of a living process. */
static json_object *read_one(struct weir *w, const char *name, const char *ns)
{
	char path[PATH_MAX], pid[16];
	json_object *o, *start;
	uint64_t now;

	if (weir_path(path, "%s/%s", weir_run(w), name))
		return NULL;
	o = json_object_from_file(path);
	if (!o)
		return NULL;
	if (!json_object_is_type(o, json_type_object) || !text_is(o, "pid_namespace", ns))
		goto other;
	snprintf(pid, sizeof(pid), "%.*s", (int)strspn(name, "0123456789"), name);
	now = start_time(w, pid);
	if (now && json_object_object_get_ex(o, "start", &start) &&
	    json_object_get_uint64(start) == now)
		return o;
	weir_debug(w, "%s is of a process that is gone", path);
	unlink(path);
other:
	json_object_put(o);
	return NULL;
}

static int is_ours(const struct dirent *e)
{
	size_t digits = strspn(e->d_name, "0123456789");

	return digits && digits < 10 && !strncmp(e->d_name + digits, ".json", 5);
}

/* What is being written is there for a moment; what stays is of a process killed in that moment. */
static bool half_written(struct weir *w, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (!strcmp(strchr(name, '.'), ".json"))
		return false;
	if (!weir_path(path, "%s/%s", weir_run(w), name) &&
	    !strcmp(strchr(name, '.'), ".json.new") && !stat(path, &st) &&
	    time(NULL) - st.st_mtime > 60)
		unlink(path);
	return true;
}

static int by_pid(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

int publish_read(struct weir *w, json_object **out)
{
	json_object *all = json_object_new_array(), *o;
	struct dirent **list = NULL;
	char ns[64];
	int n;

	if (!all)
		return -ENOMEM;
	pid_namespace(w, ns, sizeof(ns));
	n = scandir(weir_run(w), &list, is_ours, by_pid);
	for (int i = 0; i < n; i++) {
		o = half_written(w, list[i]->d_name) ? NULL : read_one(w, list[i]->d_name, ns);
		if (o)
			json_object_array_add(all, o);
		free(list[i]);
	}
	free(list);
	*out = all;
	return 0;
}
