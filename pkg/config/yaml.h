/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to JSON text, the one YAML reader: config files, kubeconfig and manifests. libyaml's event API with our bounds:
 * aliases, anchors and tags (but !!str) refused, depth at most 32, at most 1 MiB of input. Thread: any.
 *
 * Plain scalars follow the YAML 1.2 core schema: null, true, false, ints (0o17 and 0x1f too), floats; "yes", "on" and
 * dates are strings; everything quoted is a string. Refused because readers disagree or JSON cannot say it: numbers
 * with leading zeros (0644 is 420 in YAML 1.1 and 644 in 1.2), .inf and .nan, duplicate keys, keys that are not
 * scalars.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/buf.h"

#define YAML_MAX_BYTES (1024 * 1024)
#define YAML_MAX_DEPTH 32

/*
 * Appends the only document; ERR_INVALID names line and column. A text without any gives "null"; one with several is
 * refused. On failure ret_json is as before.
 */
int yaml_to_json(struct str text, struct buf *ret_json, struct error *err) must_check;
/*
 * Each document of a stream in turn, with the line it begins at; empty ones (a `---` too many, only comments) are left
 * out. fn returns -1 (with err set) to stop.
 */
typedef int (*yaml_document_fn)(void *arg, struct str json, int line, struct error *err);
int yaml_each(struct str text, yaml_document_fn fn, void *arg, struct error *err) must_check;

/* The line of the key at a '.'-separated path in a text that yaml_to_json() accepts, 0 if absent. For messages. */
int yaml_line_of(struct str text, const char *path);

#endif
