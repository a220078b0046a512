/* SPDX-License-Identifier: Apache-2.0 */
/* How options read and write: names of flags, durations, texts for messages and --help. */
#include <ctype.h>

#include "base/buf.h"
#include "config/internal.h"

static const struct {
	const char *name;
	int64_t ms;
} units[] = { { "d", DAY_MS }, { "h", HOUR_MS }, { "m", MINUTE_MS }, { "s", SECOND_MS }, { "ms", 1 } };

static const struct {
	const char *flag;
	const char *value;
	const char *help;
} builtin[] = {
	{ "config", " FILE", "YAML file with the options below; flags win over it" },
	{ "help", "", "print this text" },
	{ "version", "", "print the version" },
};

char *config_flag(const char *key, char out[CONFIG_MAX_KEY])
{
	size_t n = 0;

	for (const char *p = key; *p && n + 2 < CONFIG_MAX_KEY; p++) {
		/* A run of capitals is one word. */
		if (isupper((unsigned char)*p) && p > key && !isupper((unsigned char)p[-1]) && p[-1] != '.')
			out[n++] = '-';
		out[n++] = *p == '.' ? '-' : (char)tolower((unsigned char)*p);
	}
	out[n] = '\0';
	return out;
}

bool config_is_builtin(struct str flag)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (str_is(flag, builtin[i].flag))
			return true;
	return false;
}

bool config_parse_duration(struct str text, int64_t *ret_ms)
{
	int64_t total = 0;

	if (!text.len)
		return false;
	while (text.len) {
		size_t digits = 0, letters;
		int64_t n = 0, unit = 0;

		while (digits < text.len && isdigit((unsigned char)text.ptr[digits]))
			digits++;
		letters = digits;
		while (letters < text.len && isalpha((unsigned char)text.ptr[letters]))
			letters++;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (str_is(str_of(text.ptr + digits, letters - digits), units[i].name))
				unit = units[i].ms;
		if (!unit || !str_to_i64(str_of(text.ptr, digits), 0, INT64_MAX, &n) ||
		    __builtin_mul_overflow(n, unit, &n) || __builtin_add_overflow(total, n, &total))
			return false;
		text = str_of(text.ptr + letters, text.len - letters);
	}
	*ret_ms = total;
	return true;
}

char *config_format_int(const struct config_option *o, int64_t value, char out[TIME_TEXT])
{
	size_t i = 0;

	if (o->type == CONFIG_INT) {
		snprintf(out, TIME_TEXT, "%" PRId64, value);
		return out;
	}
	while (value % units[i].ms)
		i++;
	if (value == 0)
		i = ARRAY_LEN(units) - 2;
	snprintf(out, TIME_TEXT, "%" PRId64 "%s", value / units[i].ms, units[i].name);
	return out;
}

const char *config_type_text(const struct config_option *o)
{
	switch (o->type) {
	case CONFIG_STRING:
		return "text (put quotes around it)";
	case CONFIG_INT:
		return "a whole number";
	case CONFIG_BOOL:
		return "true or false";
	case CONFIG_DURATION:
		return "a duration such as 250ms, 30s, 5m, 2h or 1d";
	case CONFIG_TIME:
		return "a time such as 2023-02-09T07:00:00Z";
	case CONFIG_ENUM:
		return "a name";
	case CONFIG_JSON:
		return "a mapping or a list, in the file";
	}
	return "";
}

/* Levenshtein's distance without regard to case, for names below CONFIG_MAX_KEY. */
static size_t distance(const char *a, const char *b)
{
	size_t row[CONFIG_MAX_KEY + 1];
	size_t len = strnlen(b, CONFIG_MAX_KEY);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < CONFIG_MAX_KEY; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t replaced = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));

			diagonal = row[j + 1];
			row[j + 1] = MIN(replaced, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[len];
}

/* The last part of a key: "clock.factor" -> "factor". */
static const char *last_part(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot ? dot + 1 : key;
}

int config_unknown(const struct config_spec *spec, const char *name, bool flag, struct error *err)
{
	char word[CONFIG_MAX_KEY], candidate[CONFIG_MAX_KEY], best[CONFIG_MAX_KEY] = "";
	size_t least = SIZE_MAX;

	str_copy(word, sizeof(word), str_of(name, strcspn(name, "=")));
	for (size_t i = 0; i < spec->n_options + (flag ? ARRAY_LEN(builtin) : 0); i++) {
		const char *key = i < spec->n_options ? spec->options[i].key : builtin[i - spec->n_options].flag;

		if (flag && i < spec->n_options && spec->options[i].type == CONFIG_JSON)
			continue;
		if (flag)
			config_flag(key, candidate);
		else
			str_copy(candidate, sizeof(candidate), str_from(key));
		size_t d = distance(word, candidate);
		/* The right name in the wrong group. */
		if (!flag && strcmp(last_part(word), last_part(candidate)) == 0)
			d = MIN(d, 1);
		if (d < least) {
			least = d;
			str_copy(best, sizeof(best), str_from(candidate));
		}
	}
	if (least <= MAX(2, strlen(word) / 3))
		return error_set(err, ERR_INVALID, "unknown option, did you mean %s%s?", flag ? "--" : "", best);
	return error_set(err, ERR_INVALID, "unknown option, see --help");
}

/* " NUMBER", or the names of an ENUM. */
static void put_value_name(struct buf *b, const struct config_option *o)
{
	static const char *const names[] = {
		[CONFIG_STRING] = " TEXT",       [CONFIG_INT] = " NUMBER", [CONFIG_BOOL] = "",
		[CONFIG_DURATION] = " DURATION", [CONFIG_TIME] = " TIME",  [CONFIG_JSON] = "",
	};

	if (o->type != CONFIG_ENUM) {
		buf_adds(b, names[o->type]);
		return;
	}
	for (int i = 0; o->names[i]; i++)
		buf_addf(b, "%c%s", i ? '|' : ' ', o->names[i]);
}

static void put_bounds(struct buf *b, const struct config_option *o)
{
	char least[TIME_TEXT], most[TIME_TEXT];
	bool bounded = (o->type == CONFIG_INT || o->type == CONFIG_DURATION) && (o->min || o->max);

	if (!bounded && !o->def)
		return;
	buf_adds(b, " [");
	if (bounded && o->max == INT64_MAX)
		buf_addf(b, "at least %s", config_format_int(o, o->min, least));
	else if (bounded)
		buf_addf(b, "%s to %s", config_format_int(o, o->min, least), config_format_int(o, o->max, most));
	if (o->def)
		buf_addf(b, "%sdefault %s", bounded ? "; " : "", o->def);
	buf_addc(b, ']');
}

/* Left and right column; a left one that is too wide gets a line of its own. */
static void put_row(FILE *out, const char *left, const char *right)
{
	static const int width = 36;

	if ((int)strlen(left) > width - 2)
		fprintf(out, "  %s\n  %*s%s\n", left, width, "", right);
	else
		fprintf(out, "  %-*s%s\n", width, left, right);
}

void config_help(const struct config_spec *spec, FILE *out)
{
	char flag[CONFIG_MAX_KEY];

	fprintf(out, "Usage: %s [--config FILE] [--OPTION VALUE]...\n\n%s\n\n", spec->program, spec->summary);
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
		snprintf(flag, sizeof(flag), "--%s%s", builtin[i].flag, builtin[i].value);
		put_row(out, flag, builtin[i].help);
	}
	fprintf(out, "\nOptions, in the file by the name in parentheses:\n\n");
	for (size_t i = 0; i < spec->n_options; i++) {
		const struct config_option *o = &spec->options[i];
		_cleanup_(buf_release) struct buf left = BUF_INIT(512);
		_cleanup_(buf_release) struct buf right = BUF_INIT(1024);

		buf_addf(&left, "%s%s", o->type == CONFIG_JSON ? "in the file only" : "--",
			 o->type == CONFIG_JSON ? "" : config_flag(o->key, flag));
		put_value_name(&left, o);
		buf_addf(&right, "%s", o->help);
		put_bounds(&right, o);
		buf_addf(&right, " (%s)", o->key);
		put_row(out, buf_cstr(&left), buf_cstr(&right));
	}
}
