/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/config.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* What a file is being turned into. */
struct reader {
	const struct app_cmd *cmd;
	const struct option *opts;
	const char *file;
	struct app_args *out;
};

/* Keep @text until app_config_end(). Return: the copy, or NULL. */
static char *keep(struct app_args *a, char *text)
{
	char **more = text ? realloc(a->words, (a->n_words + 1) * sizeof(*more)) : NULL;

	if (!more) {
		free(text);
		return NULL;
	}
	a->words = more;
	a->words[a->n_words++] = text;
	return text;
}

static int no_memory(const struct reader *r)
{
	fprintf(stderr, "weir %s: out of memory\n", r->cmd->name);
	return APP_FAIL;
}

/* One word more at the end of a list that ends with NULL. */
static bool append(char ***list, unsigned n, char *word)
{
	char **more = word ? realloc(*list, (n + 2) * sizeof(*more)) : NULL;

	if (!more)
		return false;
	*list = more;
	more[n] = word;
	more[n + 1] = NULL;
	return true;
}

static bool add_arg(struct app_args *a, char *word)
{
	if (!append(&a->argv, (unsigned)a->argc, word))
		return false;
	a->argc++;
	return true;
}

static bool is_plain(json_object *v)
{
	return json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int);
}

/* "1", "text", or "1,3,5" of a list; NULL for anything else. To be freed. */
static char *value_text(json_object *v)
{
	char *text = NULL;
	size_t n, len;
	FILE *f;

	if (is_plain(v))
		return strdup(json_object_get_string(v));
	if (!json_object_is_type(v, json_type_array) || !json_object_array_length(v))
		return NULL;
	n = json_object_array_length(v);
	f = open_memstream(&text, &len);
	for (size_t i = 0; f && i < n; i++) {
		json_object *e = json_object_array_get_idx(v, i);

		if (!is_plain(e)) {
			fclose(f);
			free(text);
			return NULL;
		}
		fprintf(f, "%s%s", i ? "," : "", json_object_get_string(e));
	}
	if (f)
		fclose(f);
	return text;
}

static char *two(const char *a, const char *between, const char *b)
{
	char *s = NULL;

	return asprintf(&s, "%s%s%s", a, between, b) < 0 ? NULL : s;
}

static const struct option *find(const struct reader *r, const char *name)
{
	const struct option *o;

	for (o = r->opts; o->name && strcmp(o->name, name); o++)
		;
	return o->name && strcmp(name, "config") && strcmp(name, "help") ? o : NULL;
}

static int add_option(struct reader *r, const char *key, json_object *v)
{
	const struct option *o = find(r, key);
	char *text, *word;

	if (!o)
		return app_usage(r->cmd,
				 "%s: \"%s\" is no option; the keys are \"devices\" and the "
				 "names of the long options.",
				 r->file, key);
	if (json_object_is_type(v, json_type_boolean) && o->has_arg != required_argument) {
		if (!json_object_get_boolean(v))
			return -1;
		word = two("--", key, "");
	} else {
		text = o->has_arg == no_argument ? NULL : value_text(v);
		if (!text)
			return app_usage(r->cmd, "%s: \"%s\" wants %s, not %s.", r->file, key,
					 o->has_arg == no_argument ? "true or false"
								   : "text, a number or a list",
					 json_object_to_json_string(v));
		word = two(key, "=", text);
		free(text);
		text = word;
		word = text ? two("--", text, "") : NULL;
		free(text);
	}
	word = keep(r->out, word);
	return word && add_arg(r->out, word) ? -1 : no_memory(r);
}

/* "DEV", or { "device": "DEV", "mode": "MODE" }. Return: the device string, to be freed, or NULL. */
static char *device_text(json_object *v)
{
	json_object *dev, *mode = NULL;

	if (json_object_is_type(v, json_type_string))
		return strdup(json_object_get_string(v));
	if (!json_object_is_type(v, json_type_object) ||
	    !json_object_object_get_ex(v, "device", &dev) ||
	    !json_object_is_type(dev, json_type_string))
		return NULL;
	json_object_object_get_ex(v, "mode", &mode);
	if (json_object_object_length(v) != 1 + !!mode ||
	    (mode && !json_object_is_type(mode, json_type_string)))
		return NULL;
	if (!mode)
		return strdup(json_object_get_string(dev));
	return two(json_object_get_string(dev), ",mode=", json_object_get_string(mode));
}

static int add_devices(struct reader *r, json_object *v)
{
	size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

	if (!n)
		return app_usage(r->cmd, "%s: \"devices\" wants a list of devices.", r->file);
	for (size_t i = 0; i < n; i++) {
		json_object *e = json_object_array_get_idx(v, i);
		char *dev = device_text(e);

		if (!dev)
			return app_usage(r->cmd,
					 "%s: a device is text, or an object of \"device\" and "
					 "\"mode\", not %s.",
					 r->file, json_object_to_json_string(e));
		dev = keep(r->out, dev);
		if (!dev || !append(&r->out->devs, r->out->n_devs, dev))
			return no_memory(r);
		r->out->n_devs++;
	}
	return -1;
}

/* More than any file that was meant. */
#define FILE_MAX (256u << 10)

static int no_object(const struct reader *r, unsigned line, const char *why)
{
	return app_usage(r->cmd,
			 "%s: line %u: %s; it must be one JSON object, { \"devices\": [...], "
			 "\"queues\": 2 }.",
			 r->file, line, why);
}

/* The whole file in brackets, so that what stands behind its value is seen, too. To be freed. */
static int bracketed(struct reader *r, char **out, size_t *len)
{
	char *text = malloc(FILE_MAX + 4);
	size_t n = 0;
	int err = 0;
	FILE *f;

	if (!text)
		return no_memory(r);
	f = fopen(r->file, "re");
	if (f) {
		n = fread(text + 1, 1, FILE_MAX + 1, f);
		err = ferror(f) ? errno : n > FILE_MAX ? EFBIG : 0;
		fclose(f);
	} else {
		err = errno;
	}
	if (!f || err) {
		free(text);
		return app_usage(r->cmd, "%s cannot be read: %s.", r->file, weir_strerror(err));
	}
	text[0] = '[';
	memcpy(text + 1 + n, "\n]", 3);
	*out = text;
	*len = n + 3;
	return -1;
}

/* Return: -1 and the object, or an exit status. */
static int parse_file(struct reader *r, json_object **out)
{
	struct json_tokener *t;
	enum json_tokener_error e;
	json_object *all, *one;
	unsigned line = 1;
	size_t len = 0, end;
	char *text = NULL;
	int status = bracketed(r, &text, &len);

	if (!text)
		return status;
	t = json_tokener_new();
	if (!t) {
		free(text);
		return no_memory(r);
	}
	all = json_tokener_parse_ex(t, text, (int)len);
	e = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	for (size_t i = 0; i < end && i < len - 2; i++)
		line += text[i] == '\n';
	one = all && json_object_array_length(all) == 1 ? json_object_array_get_idx(all, 0) : NULL;
	if (e == json_tokener_continue)
		status = no_object(r, line, "it ends in the middle");
	else if (e != json_tokener_success)
		status = no_object(r, line, json_tokener_error_desc(e));
	else if (end != len || !json_object_is_type(one, json_type_object))
		status = no_object(r, line, "this is something else");
	else
		*out = json_object_get(one);
	json_object_put(all);
	json_tokener_free(t);
	free(text);
	return status;
}

static int read_file(struct reader *r)
{
	json_object *root = NULL;
	int status = parse_file(r, &root);

	if (status >= 0)
		return status;
	json_object_object_foreach(root, key, v)
	{
		status = strcmp(key, "devices") ? add_option(r, key, v) : add_devices(r, v);
		if (status >= 0)
			break;
	}
	json_object_put(root);
	return status;
}

/* Whether the word at @i is --config; the file it names, and how many words that took. */
static const char *config_at(int argc, char **argv, int i, int *took)
{
	static const char opt[] = "--config";

	*took = 1;
	if (strncmp(argv[i], opt, strlen(opt)))
		return NULL;
	if (argv[i][strlen(opt)] == '=')
		return argv[i] + strlen(opt) + 1;
	if (argv[i][strlen(opt)] || i + 1 == argc || !argv[i + 1])
		return NULL;
	*took = 2;
	return argv[i + 1];
}

int app_config(const struct app_cmd *cmd, const struct option *opts, int argc, char **argv,
	       struct app_args *out)
{
	struct reader r = { .cmd = cmd, .opts = opts, .out = out };
	bool more = true;
	int took, status;

	*out = (struct app_args){ .argc = 0 };
	if (!add_arg(out, argv[0]))
		return no_memory(&r);
	/* The file's options first: what is typed is read after them. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i += took) {
		r.file = config_at(argc, argv, i, &took);
		status = r.file ? read_file(&r) : -1;
		if (status >= 0)
			return status;
	}
	for (int i = 1; i < argc; i += took) {
		took = 1;
		more = more && strcmp(argv[i], "--");
		if (more && config_at(argc, argv, i, &took))
			continue;
		if (!add_arg(out, argv[i]))
			return no_memory(&r);
	}
	return -1;
}

void app_config_end(struct app_args *a)
{
	while (a->n_words)
		free(a->words[--a->n_words]);
	free(a->words);
	free(a->argv);
	free(a->devs);
	*a = (struct app_args){ .argc = 0 };
}
