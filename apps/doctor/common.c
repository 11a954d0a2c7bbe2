/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

const char *doctor_level_name(enum doctor_level level)
{
	static const char *const names[DOCTOR_LEVELS] = { "ok", "note", "warn", "FAIL" };

	return names[level];
}

void doctor_say(struct doctor *d, enum doctor_level level, const char *id, const char *fmt, ...)
{
	struct doctor_finding *more = realloc(d->list, (d->n + 1) * sizeof(*more)), *f;
	va_list ap;

	if (!more)
		return;
	d->list = more;
	f = &more[d->n++];
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->level = level;
	snprintf(f->about, sizeof(f->about), "%s", d->about);
	va_start(ap, fmt);
	vsnprintf(f->fact, sizeof(f->fact), fmt, ap);
	va_end(ap);
}

#define FILL(field)                                                                    \
	do {                                                                           \
		va_list ap;                                                            \
		if (!d->n)                                                             \
			return;                                                        \
		va_start(ap, fmt);                                                     \
		vsnprintf(d->list[d->n - 1].field, sizeof(d->list[0].field), fmt, ap); \
		va_end(ap);                                                            \
	} while (0)

void doctor_why(struct doctor *d, const char *fmt, ...)
{
	FILL(why);
}

void doctor_fix(struct doctor *d, const char *fmt, ...)
{
	FILL(fix);
}

void doctor_keep(struct doctor *d, const char *fmt, ...)
{
	FILL(keep);
}

const char *doctor_sysfs(struct doctor *d, char *buf, size_t size, const char *fmt, ...)
{
	char name[PATH_MAX], path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (weir_path(path, "%s/%s", weir_sysfs(d->w), name) || weir_file_read(path, buf, size))
		buf[0] = '\0';
	return buf;
}

bool doctor_cmdline(struct doctor *d, const char *key, const char *value)
{
	char path[PATH_MAX], text[4096], *save = NULL, *in = NULL;
	size_t n = strlen(key);

	weir_path(path, "%s/cmdline", weir_proc(d->w));
	if (weir_file_read(path, text, sizeof(text)))
		return false;
	for (char *s = strtok_r(text, " \n", &save); s; s = strtok_r(NULL, " \n", &save)) {
		if (strncmp(s, key, n) || s[n] != '=')
			continue;
		for (char *v = strtok_r(s + n + 1, ",", &in); v; v = strtok_r(NULL, ",", &in))
			if (!strcmp(v, value))
				return true;
	}
	return false;
}

const char *doctor_proc(struct doctor *d, const char *file, const char *key, char *buf, size_t size)
{
	char path[PATH_MAX], line[4096];
	size_t n = strlen(key);
	FILE *f;

	buf[0] = '\0';
	weir_path(path, "%s/%s", weir_proc(d->w), file);
	f = fopen(path, "re");
	if (!f)
		return buf;
	while (!*buf && fgets(line, sizeof(line), f)) {
		char *s = line + n;

		if (strncmp(line, key, n))
			continue;
		while (isspace((unsigned char)*s) || *s == ':')
			s++;
		s[strcspn(s, "\n")] = '\0';
		snprintf(buf, size, "%s", s);
	}
	fclose(f);
	return buf;
}

bool doctor_capable(struct doctor *d, unsigned cap)
{
	char text[64];

	doctor_proc(d, "self/status", "CapEff:", text, sizeof(text));
	return strtoull(text, NULL, 16) >> cap & 1;
}
