/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files and links, as sysfs and procfs have them. */
#ifndef WEIR_CORE_FILE_H
#define WEIR_CORE_FILE_H

#include "core/weir.h"

#include <limits.h>

WEIR_BEGIN_DECLS

/* Format a path. Return: 0, or -ENAMETOOLONG (then @out is ""). */
WEIR_API int weir_path(char out[PATH_MAX], const char *fmt, ...) weir_printf(2, 3);

/**
 * weir_file_read() - read a small text file
 * @path: file
 * @buf: text, NUL-terminated, without the newline at its end
 * @size: of @buf; a longer text is cut
 * Return: 0 or -errno.
 */
WEIR_API int weir_file_read(const char *path, char *buf, size_t size);

/* Write a text to an existing file in one write(). Return: 0 or -errno. */
WEIR_API int weir_file_write(const char *path, const char *text);

/* Whole file as a number (decimal, or hexadecimal with 0x). Return: 0 or -errno. */
WEIR_API int weir_file_u64(const char *path, uint64_t *v);

/* Last part of the target of the symbolic link @dir/@name. Return: 0 or -errno. */
WEIR_API int weir_link_base(const char *dir, const char *name, char *out, size_t size);

/* First entry of a folder that starts with @prefix, "." and ".." apart. Return: 0 or -ENOENT. */
WEIR_API int weir_dir_first(const char *dir, const char *prefix, char *out, size_t size);

WEIR_END_DECLS

#endif
