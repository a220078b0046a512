/* SPDX-License-Identifier: Apache-2.0 */
/* Table-driven configuration: defaults, file and flags set the options through one function each. */
#include "config/config.h"

#include "base/clock.h"
#include "config/internal.h"
#include "config/yaml.h"
#include "json/json.h"

static void *place(const struct config_option *o, void *target)
{
	return (char *)target + o->offset;
}

static int set_int(const struct config_option *o, int64_t value, void *target, struct error *err)
{
	char least[TIME_TEXT], most[TIME_TEXT], given[TIME_TEXT];

	if ((o->min || o->max) && (value < o->min || value > o->max)) {
		config_format_int(o, value, given);
		config_format_int(o, o->min, least);
		if (o->max == INT64_MAX)
			return error_set(err, ERR_INVALID, "must be at least %s, is %s", least, given);
		return error_set(err, ERR_INVALID, "must be from %s to %s, is %s", least,
				 config_format_int(o, o->max, most), given);
	}
	*(int64_t *)place(o, target) = value;
	return 0;
}

static int set_enum(const struct config_option *o, struct str text, void *target, struct error *err)
{
	_cleanup_(buf_release) struct buf names = BUF_INIT(200);

	for (int i = 0; o->names[i]; i++) {
		if (str_is(text, o->names[i])) {
			*(int *)place(o, target) = i;
			return 0;
		}
		buf_addf(&names, "%s%s", i ? ", " : "", o->names[i]);
	}
	return error_set(err, ERR_INVALID, "must be one of %s, is \"%.*s\"", buf_cstr(&names), (int)MIN(text.len, 60),
			 text.ptr);
}

/* Sets an option from text, wherever it came from. */
static int set_text(const struct config_option *o, struct str text, void *target, struct arena *arena,
		    struct error *err)
{
	int64_t value;

	switch (o->type) {
	case CONFIG_STRING:
		*(char **)place(o, target) = arena_strndup(arena, text.ptr, text.len);
		return 0;
	case CONFIG_INT:
		if (!str_to_i64(text, INT64_MIN, INT64_MAX, &value))
			break;
		return set_int(o, value, target, err);
	case CONFIG_DURATION:
		if (!config_parse_duration(text, &value))
			break;
		return set_int(o, value, target, err);
	case CONFIG_BOOL:
		if (!str_is(text, "true") && !str_is(text, "false"))
			break;
		*(bool *)place(o, target) = str_is(text, "true");
		return 0;
	case CONFIG_TIME:
		if (!time_parse(text, place(o, target)))
			break;
		return 0;
	case CONFIG_ENUM:
		return set_enum(o, text, target, err);
	case CONFIG_JSON:
		break;
	}
	return error_set(err, ERR_INVALID, "must be %s, is \"%.*s\"", config_type_text(o), (int)MIN(text.len, 60),
			 text.ptr ? text.ptr : "");
}

static int set_defaults(const struct config_spec *spec, void *target, struct arena *arena, struct error *err)
{
	for (size_t i = 0; i < spec->n_options; i++) {
		const struct config_option *o = &spec->options[i];

		switch (o->type) {
		case CONFIG_STRING:
		case CONFIG_JSON:
			*(char **)place(o, target) = NULL;
			break;
		case CONFIG_BOOL:
			*(bool *)place(o, target) = false;
			break;
		case CONFIG_ENUM:
			*(int *)place(o, target) = 0;
			break;
		default:
			*(int64_t *)place(o, target) = o->type == CONFIG_TIME ? TIME_NONE : 0;
		}
		if (o->def && set_text(o, str_from(o->def), target, arena, err))
			return error_wrap(err, "default of %s", o->key);
	}
	return 0;
}

/* The file being read. */
struct file {
	const struct config_spec *spec;
	const char *path;
	struct str yaml, json;
	void *target;
	struct arena *arena;
};

static int set_json(const struct config_option *o, const struct json *value, const struct file *f, struct error *err)
{
	const char *text = json_string(value);
	bool flag = false;
	int64_t number;

	/* "key:" without a value leaves the default. */
	if (json_is_null(value))
		return 0;
	if (o->type == CONFIG_INT && json_i64(value, &number))
		return set_int(o, number, f->target, err);
	if (o->type == CONFIG_BOOL && json_bool(value, &flag)) {
		*(bool *)place(o, f->target) = flag;
		return 0;
	}
	if (o->type == CONFIG_JSON && (json_is_object(value) || json_is_array(value))) {
		struct str raw;

		if (json_raw_at(f->json, o->key, &raw, err))
			return -1;
		*(char **)place(o, f->target) = arena_strndup(f->arena, raw.ptr, raw.len);
		return 0;
	}
	if (o->type != CONFIG_INT && o->type != CONFIG_BOOL && text)
		return set_text(o, str_from(text), f->target, f->arena, err);
	return error_set(err, ERR_INVALID, "must be %s, is a value of type %s", config_type_text(o), json_kind(value));
}

static const struct config_option *find_key(const struct config_spec *spec, struct str key)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (str_is(key, spec->options[i].key))
			return &spec->options[i];
	return NULL;
}

/* Whether options of the table lie below this key. */
static bool is_group(const struct config_spec *spec, struct str key)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (str_has_prefix(str_from(spec->options[i].key), key) && spec->options[i].key[key.len] == '.')
			return true;
	return false;
}

static int key_error(const struct file *f, const struct buf *key, struct error *err)
{
	return error_wrap(err, "%s:%d: %s", f->path, yaml_line_of(f->yaml, buf_cstr(key)), buf_cstr(key));
}

static int read_group(const struct file *f, const struct json *group, struct buf *key, struct error *err)
{
	size_t before = key->len;

	json_each (member, group) {
		const struct config_option *o;

		key->len = before;
		buf_addf(key, "%s%s", before ? "." : "", json_key(member));
		if (buf_check(key, "a key", err))
			return error_wrap(err, "%s", f->path);
		/* Two ways to write one key would be one too many. */
		if (strchr(json_key(member), '.'))
			return error_set(err, ERR_INVALID, "%s: %s: nest the keys instead of writing a dot", f->path,
					 buf_cstr(key));
		o = find_key(f->spec, buf_str(key));
		if (o) {
			if (set_json(o, json_at(member, NULL), f, err))
				return key_error(f, key, err);
		} else if (is_group(f->spec, buf_str(key))) {
			if (!json_is_object(member) && !json_is_null(member)) {
				error_set(err, ERR_INVALID, "holds options, is a value of type %s", json_kind(member));
				return key_error(f, key, err);
			}
			if (read_group(f, member, key, err))
				return -1;
		} else {
			config_unknown(f->spec, buf_cstr(key), false, err);
			return key_error(f, key, err);
		}
	}
	return 0;
}

static int read_file(const struct config_spec *spec, const char *path, void *target, struct arena *arena,
		     struct error *err)
{
	_cleanup_(buf_release) struct buf yaml = BUF_INIT(YAML_MAX_BYTES);
	_cleanup_(buf_release) struct buf json = BUF_INIT(8 * YAML_MAX_BYTES);
	_cleanup_(buf_release) struct buf key = BUF_INIT(CONFIG_MAX_KEY);
	_cleanup_(json_cleanup) struct json *doc = NULL;

	if (buf_read_file(&yaml, path, err))
		return error_wrap(err, "--config");
	if (yaml_to_json(buf_str(&yaml), &json, err) || json_parse(buf_str(&json), &doc, err))
		return error_wrap(err, "%s", path);
	if (!json_is_object(doc) && !json_is_null(doc))
		return error_set(err, ERR_INVALID, "%s:1: must be a mapping of options, is a value of type %s", path,
				 json_kind(doc));
	return read_group(&(struct file){ spec, path, buf_str(&yaml), buf_str(&json), target, arena }, doc, &key, err);
}

/* --flag, taken apart. */
struct flag {
	struct str name;
	const struct config_option *option; /* NULL: one of the built-in ones */
	const char *value;                  /* NULL when there is none behind '=' */
};

static const struct config_option *find_flag(const struct config_spec *spec, struct str name)
{
	char flag[CONFIG_MAX_KEY];

	for (size_t i = 0; i < spec->n_options; i++)
		if (spec->options[i].type != CONFIG_JSON && str_is(name, config_flag(spec->options[i].key, flag)))
			return &spec->options[i];
	return NULL;
}

/* Reads the flag at argv[*i] and moves *i behind it. */
static int next_flag(const struct config_spec *spec, int argc, char **argv, int *i, struct flag *ret, struct error *err)
{
	const char *arg = argv[(*i)++], *equals;
	struct flag f = { 0 };

	if (strcmp(arg, "-h") == 0)
		arg = "--help";
	if (strncmp(arg, "--", 2) != 0 || !arg[2])
		return error_set(err, ERR_INVALID, "unexpected argument \"%.100s\": flags begin with --", arg);
	equals = strchr(arg, '=');
	f.name = str_of(arg + 2, (size_t)(equals ? equals - arg : (ptrdiff_t)strlen(arg)) - 2);
	f.value = equals ? equals + 1 : NULL;
	f.option = find_flag(spec, f.name);
	if (!f.option && !config_is_builtin(f.name)) {
		config_unknown(spec, arg + 2, true, err);
		return error_wrap(err, "--%.*s", (int)MIN(f.name.len, 60), f.name.ptr);
	}
	if (!f.value && f.option && f.option->type == CONFIG_BOOL) {
		f.value = "true";
		if (*i < argc && (strcmp(argv[*i], "true") == 0 || strcmp(argv[*i], "false") == 0))
			return error_set(err, ERR_INVALID, "%s %s: write %s=%s", arg, argv[*i], arg, argv[*i]);
	} else if (!f.value && (f.option || str_is(f.name, "config"))) {
		if (*i == argc)
			return error_set(err, ERR_INVALID, "%.100s: value missing", arg);
		f.value = argv[(*i)++];
	}
	*ret = f;
	return 0;
}

static int apply_flags(const struct config_spec *spec, int argc, char **argv, void *target, struct arena *arena,
		       struct error *err)
{
	for (int i = 1; i < argc;) {
		struct flag f;

		if (next_flag(spec, argc, argv, &i, &f, err))
			return -1;
		if (f.option && set_text(f.option, str_from(f.value), target, arena, err))
			return error_wrap(err, "--%.*s", STR_FMT(f.name));
	}
	return 0;
}

int config_load(const struct config_spec *spec, int argc, char **argv, void *target, struct arena *arena,
		bool *ret_exit, struct error *err)
{
	const char *path = NULL;

	for (int i = 1; i < argc;) {
		struct flag f;

		if (next_flag(spec, argc, argv, &i, &f, err))
			return -1;
		if (f.option)
			continue;
		if (str_is(f.name, "config")) {
			path = f.value;
			continue;
		}
		if (str_is(f.name, "help"))
			config_help(spec, stdout);
		else
			printf("%s %s\n", spec->program, LOADSHIFT_VERSION);
		*ret_exit = true;
		return 0;
	}
	if (set_defaults(spec, target, arena, err) || (path && read_file(spec, path, target, arena, err)) ||
	    apply_flags(spec, argc, argv, target, arena, err))
		return -1;
	*ret_exit = false;
	return 0;
}
