/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whatever yaml_to_json() writes, json_parse() accepts, and the keys of its mapping have a line. */
#include "config/yaml.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static int document(void *arg, struct str json, int line, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;

	require(json_parse(json, &doc, err) == 0, "a document is JSON");
	require(line >= *(int *)arg, "lines go up");
	*(int *)arg = line;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_release) struct buf json = BUF_INIT(8 * YAML_MAX_BYTES);
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct str text = str_of((const char *)data, size);
	struct error err = ERROR_INIT;
	int line = 1, n = 0;

	if (yaml_each(text, document, &line, &err))
		require(err.code == ERR_INVALID || err.code == ERR_LIMIT, "refusal is explained");
	if (yaml_to_json(text, &json, &err))
		return 0;
	require(json_parse(buf_str(&json), &doc, &err) == 0, "YAML gives JSON");
	json_each (member, doc) {
		/* U+FFFD may stand for a NUL. */
		if (json_key(member) && !strpbrk(json_key(member), ".\xEF") && n++ < 4)
			require(yaml_line_of(text, json_key(member)) > 0, "a key has a line");
	}
	return 0;
}
