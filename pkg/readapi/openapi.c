/* SPDX-License-Identifier: Apache-2.0 */
/* The read API described by its own table of routes, as an OpenAPI 3 document. */
#include "readapi/internal.h"

static void param(struct json_writer *w, const char *name, const char *in, const char *type, const char *help)
{
	jw_object(w, NULL);
	jw_string(w, "name", name);
	jw_string(w, "in", in);
	if (strcmp(in, "path") == 0)
		jw_bool(w, "required", true);
	jw_string(w, "description", help);
	readapi_describe(w, "schema", str_from(type));
	jw_end_object(w);
}

/* `route` when it is the answer that was asked for, NULL for one that says what is wrong. */
static void answer(struct json_writer *w, const char *status, const char *what, const struct readapi_route *route)
{
	jw_object(w, status);
	jw_string(w, "description", what);
	jw_object(w, "content");
	jw_object(w, "application/json");
	if (route && !route->schema)
		readapi_describe_rows(w, "schema", route);
	else
		readapi_describe(w, "schema", str_from(route ? route->schema : "Error"));
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void path(struct json_writer *w, const struct readapi_route *route)
{
	jw_object(w, route->path);
	jw_object(w, "get");
	jw_string(w, "summary", route->summary);
	jw_array(w, "parameters");
	if (strchr(route->path, '{'))
		param(w, "name", "path", "string", "its name");
	for (size_t i = 0; i < READAPI_MAX_PARAMS && route->params[i].name; i++)
		param(w, route->params[i].name, "query", route->params[i].type, route->params[i].help);
	jw_end_array(w);
	jw_object(w, "responses");
	answer(w, "200", "Found.", route);
	answer(w, "400", "A parameter is not what it must be.", NULL);
	if (route->resource != READAPI_NONE) {
		answer(w, "401", "No token, or one that is not valid for this cluster.", NULL);
		answer(w, "403", "The token's user may not list what this shows.", NULL);
	}
	answer(w, "404", "There is no such thing, or no database.", NULL);
	answer(w, "503", "Too busy, or the API server or the database does not answer.", NULL);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void components(struct json_writer *w)
{
	jw_object(w, "components");
	jw_object(w, "schemas");
	readapi_describe_schemas(w);
	jw_end_object(w);
	jw_object(w, "securitySchemes");
	jw_object(w, "token");
	jw_string(w, "type", "http");
	jw_string(w, "scheme", "bearer");
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

int readapi_openapi(struct readapi_request *r, struct error *err)
{
	struct json_writer *w = &r->w;

	(void)err;
	jw_object(w, NULL);
	jw_string(w, "openapi", "3.1.0");
	jw_object(w, "info");
	jw_string(w, "title", "Loadshift read API");
	jw_string(w, "version", LOADSHIFT_VERSION);
	jw_string(
		w, "description",
		"What the operator knows. Units are in the names, times are RFC 3339, a member that is missing is not "
		"known.");
	jw_end_object(w);
	jw_array(w, "servers");
	jw_object(w, NULL);
	jw_string(w, "url", "/api/v1");
	jw_end_object(w);
	jw_end_array(w);
	jw_array(w, "security");
	jw_object(w, NULL);
	jw_array(w, "token");
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	jw_object(w, "paths");
	for (int i = 0; i < readapi_n_routes; i++)
		path(w, &readapi_routes[i]);
	jw_end_object(w);
	components(w);
	jw_end_object(w);
	return 0;
}
