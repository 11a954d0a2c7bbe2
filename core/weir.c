/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW_DEFAULT (16ull << 30)
#define WINDOW_ALIGN   (1ull << 30)
#define LOG_LINE       1024

static void log_stderr(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	if (*id)
		fprintf(stderr, "weir: %s [%s]\n", msg, id);
	else
		fprintf(stderr, "weir: %s\n", msg);
}

static char *root_dup(const char *s, const char *dflt)
{
	return strdup(s ? s : dflt);
}

/*
 * Reserve address space, not memory, with room to align: a window that starts on 1 GiB lets the
 * IOMMU use its largest pages.
 */
static int window_reserve(struct weir *w, size_t size)
{
	uintptr_t p;

	w->resv_len = size + WINDOW_ALIGN;
	w->resv = mmap(NULL, w->resv_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (w->resv == MAP_FAILED) {
		w->resv = NULL;
		return weir_fail(w, errno, "window",
				 "cannot set aside %zu MiB of address space for packet memory: %s; "
				 "lower weir_opts.window_size or raise `ulimit -v`",
				 size >> 20, weir_strerror(errno));
	}
	p = WEIR_ALIGN_UP((uintptr_t)w->resv, WINDOW_ALIGN);
	w->win.base = (char *)p;
	w->win.size = size;
	return 0;
}

int weir_open(const struct weir_opts *opts, struct weir **out)
{
	static const struct weir_opts none;
	size_t size;
	struct weir *w;
	int err = -ENOMEM;

	if (!opts)
		opts = &none;
	size = opts->window_size ? opts->window_size : WINDOW_DEFAULT;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->log = opts->log ? opts->log : log_stderr;
	w->log_arg = opts->log_arg;
	w->log_level = opts->log_level ? opts->log_level : WEIR_LOG_WARN;
	w->sysfs = root_dup(opts->sysfs, "/sys");
	w->dev = root_dup(opts->dev, "/dev");
	w->proc = root_dup(opts->proc, "/proc");
	w->run = root_dup(opts->run, "/run/weir");
	if (!w->sysfs || !w->dev || !w->proc || !w->run)
		goto fail;
	if (!weir_is_pow2(size) || size < WINDOW_ALIGN || size > (256ull << 30)) {
		err = weir_fail(w, EINVAL, "window",
				"window_size %zu is not a power of two from 1 to 256 GiB", size);
		goto fail;
	}
	err = window_reserve(w, size);
	if (err)
		goto fail;
	*out = w;
	return 0;
fail:
	weir_close(w);
	return err;
}

void weir_close(struct weir *w)
{
	if (!w)
		return;
	while (w->arenas)
		weir_arena_destroy(w->arenas);
	if (w->resv)
		munmap(w->resv, w->resv_len);
	free(w->sysfs);
	free(w->dev);
	free(w->proc);
	free(w->run);
	free(w);
}

const char *weir_sysfs(const struct weir *w)
{
	return w->sysfs;
}

const char *weir_dev(const struct weir *w)
{
	return w->dev;
}

const char *weir_proc(const struct weir *w)
{
	return w->proc;
}

const char *weir_run(const struct weir *w)
{
	return w->run;
}

struct weir_window weir_window(const struct weir *w)
{
	return w->win;
}

static void weir_printf(4, 0)
	vlog(struct weir *w, enum weir_log_level level, const char *id, const char *fmt, va_list ap)
{
	char line[LOG_LINE];

	if (level > w->log_level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	w->log(w->log_arg, level, id, line);
}

void weir_log(struct weir *w, enum weir_log_level level, const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(w, level, id, fmt, ap);
	va_end(ap);
}

int(weir_fail)(struct weir *w, int err, const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(w, WEIR_LOG_ERR, id, fmt, ap);
	va_end(ap);
	if (!err)
		err = EIO;
	return err < 0 ? err : -err;
}

const char *weir_strerror(int err)
{
	const char *s = strerrordesc_np(err < 0 ? -err : err);

	return s ? s : "unknown error";
}
