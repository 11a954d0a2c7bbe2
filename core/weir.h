/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handle: logging, where the system's files are, and the memory window. Everything in weir
 * hangs off one of these; a process may have several. The library makes no thread, installs no
 * signal handler, reads no command line and never ends the process.
 */
#ifndef WEIR_CORE_WEIR_H
#define WEIR_CORE_WEIR_H

#include "core/types.h"

WEIR_BEGIN_DECLS

#define WEIR_VERSION "0.1.0"

enum weir_log_level {
	WEIR_LOG_ERR = 3,
	WEIR_LOG_WARN = 4,
	WEIR_LOG_INFO = 6,
	WEIR_LOG_DEBUG = 7,
};

/**
 * weir_log_fn - receives every message of one handle
 * @arg: weir_opts.log_arg
 * @level: severity, as in syslog
 * @id: stable identifier of the condition ("memlock", "group-not-viable", ...), "" if it has none
 * @msg: one or more sentences, no newline at the end, valid during the call only
 *
 * May be called from any thread that calls into the library, never from a fast path. It must not
 * call into the library itself: locks may be held.
 */
typedef void weir_log_fn(void *arg, enum weir_log_level level, const char *id, const char *msg);

/**
 * struct weir_opts - how to open a handle; all zeroes is a good default
 * @log: message sink; NULL writes "weir: ..." lines to standard error
 * @log_arg: passed to @log
 * @log_level: least severe level that is delivered; 0 means WEIR_LOG_WARN
 * @window_size: bytes of address space set aside for packet memory; 0 means 16 GiB. No memory is
 *               used by it. A power of two, 1 GiB at least
 * @sysfs: root of sysfs; NULL means "/sys"
 * @dev: root of device nodes; NULL means "/dev"
 * @proc: root of procfs; NULL means "/proc"
 * @run: folder for what must outlive a process (which driver a device had); NULL means "/run/weir"
 */
struct weir_opts {
	weir_log_fn *log;
	void *log_arg;
	enum weir_log_level log_level;
	size_t window_size;
	const char *sysfs;
	const char *dev;
	const char *proc;
	const char *run;
};

struct weir;

/**
 * weir_open() - make a handle
 * @opts: NULL for defaults; strings are copied
 * @out: the handle; close with weir_close()
 * Return: 0, -EINVAL (window size), -ENOMEM.
 */
WEIR_API int weir_open(const struct weir_opts *opts, struct weir **out);

/**
 * weir_close() - end a handle
 * @w: handle or NULL; everything made from it must be closed before
 */
WEIR_API void weir_close(struct weir *w);

/* Roots as given in weir_opts, never NULL. */
WEIR_API const char *weir_sysfs(const struct weir *w);
WEIR_API const char *weir_dev(const struct weir *w);
WEIR_API const char *weir_proc(const struct weir *w);
WEIR_API const char *weir_run(const struct weir *w);

/**
 * weir_log() - send a message to the handle's sink
 * @w: handle
 * @level: severity
 * @id: stable id or ""
 */
WEIR_API void weir_log(struct weir *w, enum weir_log_level level, const char *id, const char *fmt,
		       ...) weir_printf(4, 5);

/**
 * weir_fail() - report an error once, at the place that knows most, and pass it on
 * @w: handle
 * @err: positive or negative errno
 * @id: stable id of the condition; `weir doctor` and the documentation use the same
 *
 * Usage: ``return weir_fail(w, errno, "cdev-open", "cannot open %s: %s; ...", path, ...)``.
 * Return: -|err|, and -EIO if @err is 0.
 */
WEIR_API int weir_fail(struct weir *w, int err, const char *id, const char *fmt, ...)
	weir_printf(4, 5);

#ifdef __clang_analyzer__
/* What the analyzer cannot see: the result is negative. */
#define weir_fail(...) ((void)weir_fail(__VA_ARGS__), -EIO)
#endif

/**
 * weir_strerror() - errno as words; thread-safe
 * @err: positive or negative errno
 */
WEIR_API const char *weir_strerror(int err);

#define weir_debug(w, ...) weir_log(w, WEIR_LOG_DEBUG, "", __VA_ARGS__)
#define weir_info(w, ...)  weir_log(w, WEIR_LOG_INFO, "", __VA_ARGS__)
#define weir_warn(w, ...)  weir_log(w, WEIR_LOG_WARN, "", __VA_ARGS__)

WEIR_END_DECLS

#endif
