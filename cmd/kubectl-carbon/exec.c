/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential plug-ins as kubectl runs them (client.authentication.k8s.io/v1, ExecCredential). What one says is kept in
 * ${XDG_CACHE_HOME:-~/.cache}/loadshift/credentials, for this user alone, until shortly before it expires.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/vec.h"
#include "carbon.h"
#include "crypto/hash.h"
#include "json/writer.h"

#define MAX_CREDENTIAL ((size_t)256 * 1024)
#define MAX_STRINGS 1000
#define EARLY_MS (30 * SECOND_MS)

extern char **environ;

struct strings {
	VEC(char *) v;
};

static void strings_add(struct strings *s, char *text)
{
	char **slot = vec_push(&s->v, MAX_STRINGS);

	if (slot)
		*slot = text;
	else
		free(text);
}

static void strings_release(struct strings *s)
{
	for (size_t i = 0; i < s->v.len; i++)
		free(s->v.ptr[i]);
	vec_release(&s->v);
}

/* ---- what it is told ---- */

static const char *version_of(const struct json *exec)
{
	const char *version = json_string(json_get(exec, "apiVersion"));

	return version && (cstr_eq(version, "client.authentication.k8s.io/v1") ||
			   cstr_eq(version, "client.authentication.k8s.io/v1beta1"))
		       ? version
		       : NULL;
}

static bool is_interactive(const struct json *exec)
{
	return !cstr_eq(json_string(json_get(exec, "interactiveMode")), "Never") && isatty(STDIN_FILENO);
}

static int write_info(const struct json *exec, const struct k8s_auth *a, struct buf *out, struct error *err)
{
	_cleanup_(buf_release) struct buf pem = BUF_INIT(MAX_CREDENTIAL), text = BUF_INIT(2 * MAX_CREDENTIAL);
	struct json_writer w = json_writer(out);
	bool with_cluster = false;

	(void)json_bool(json_get(exec, "provideClusterInfo"), &with_cluster);
	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", version_of(exec));
	jw_string(&w, "kind", "ExecCredential");
	jw_object(&w, "spec");
	jw_bool(&w, "interactive", is_interactive(exec));
	if (with_cluster) {
		if (a->tls.ca_file && buf_read_file(&pem, a->tls.ca_file, err))
			return -1;
		base64_encode(a->tls.ca_file ? buf_str(&pem) : a->tls.ca_pem, &text);
		jw_object(&w, "cluster");
		jw_string(&w, "server", a->server);
		if (text.len)
			jw_str(&w, "certificate-authority-data", buf_str(&text));
		jw_end_object(&w);
	}
	jw_end_object(&w);
	jw_end_object(&w);
	return buf_check(out, "KUBERNETES_EXEC_INFO", err);
}

/* Of two variables of one name some programs take the first, some the last. */
static bool has_name(const struct strings *s, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < s->v.len; i++)
		if (strncmp(s->v.ptr[i], variable, len) == 0)
			return true;
	return false;
}

static int environment(const struct json *exec, const struct k8s_auth *a, struct strings *ret, struct error *err)
{
	_cleanup_(buf_release) struct buf info = BUF_INIT(MAX_CREDENTIAL);

	if (write_info(exec, a, &info, err))
		return -1;
	strings_add(ret, xasprintf("KUBERNETES_EXEC_INFO=%s", buf_cstr(&info)));
	json_each (item, json_get(exec, "env")) {
		const char *name = json_string(json_get(item, "name")), *value = json_string(json_get(item, "value"));

		if (name && value && !strchr(name, '='))
			strings_add(ret, xasprintf("%s=%s", name, value));
	}
	for (char **e = environ; *e; e++)
		if (!has_name(ret, *e))
			strings_add(ret, xstrdup(*e));
	strings_add(ret, NULL);
	return 0;
}

/* ---- running it ---- */

/* A name with a slash in it is a path, from the kubeconfig's folder on. */
static char *path_of(const char *command, const char *dir)
{
	return strchr(command, '/') && command[0] != '/' ? xasprintf("%s/%s", dir, command) : xstrdup(command);
}

static int read_all(int fd, struct buf *out, struct error *err)
{
	for (;;) {
		if (buf_reserve(out, 4096))
			return buf_check(out, "what it printed", err);
		ssize_t n = read(fd, out->ptr + out->len, 4096);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_errno(err, ERR_INTERNAL, errno, "read");
		if (n > 0)
			out->len += (size_t)n;
	}
}

static int spawn(const struct json *exec, const char *path, char *const *argv, char *const *env, struct buf *out,
		 struct error *err)
{
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, problem, result;
	const char *hint = json_string(json_get(exec, "installHint"));
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return error_errno(err, ERR_INTERNAL, errno, "pipe");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	if (!is_interactive(exec))
		(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	problem = posix_spawnp(&pid, path, &actions, NULL, argv, env);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[1]);
	if (problem) {
		(void)close(fds[0]);
		return error_errno(err, ERR_NOT_FOUND, problem, "cannot run %.100s%s%.100s", path, hint ? ": " : "",
				   hint ? hint : "");
	}
	result = read_all(fds[0], out, err);
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (result == 0 && status != 0)
		return error_set(err, ERR_DENIED, "%.100s failed (status %d): see what it says above", path,
				 WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	return result;
}

static int run_plugin(const struct json *exec, const char *dir, const struct k8s_auth *a, struct buf *out,
		      struct error *err)
{
	_cleanup_(strings_release) struct strings argv = { 0 }, env = { 0 };
	_cleanup_free_ char *path = NULL;
	const char *command = json_string(json_get(exec, "command"));

	if (!command || !*command)
		return error_set(err, ERR_INVALID, "command is missing");
	if (cstr_eq(json_string(json_get(exec, "interactiveMode")), "Always") && !isatty(STDIN_FILENO))
		return error_set(err, ERR_INVALID, "%.100s wants a terminal (interactiveMode: Always)", command);
	path = path_of(command, dir);
	strings_add(&argv, xstrdup(command));
	json_each (item, json_get(exec, "args"))
		if (json_string(item))
			strings_add(&argv, xstrdup(json_string(item)));
	strings_add(&argv, NULL);
	if (environment(exec, a, &env, err))
		return -1;
	if (argv.v.len >= MAX_STRINGS || env.v.len >= MAX_STRINGS)
		return error_set(err, ERR_LIMIT, "more than %d arguments or variables", MAX_STRINGS);
	return spawn(exec, path, argv.v.ptr, env.v.ptr, out, err);
}

/* ---- what it said ---- */

/* *ret_until_ms: TIME_NONE = it does not say. */
static int take(struct str text, const char *version, struct k8s_auth *a, int64_t *ret_until_ms, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	const char *token, *cert, *key;
	const struct json *status;

	if (json_parse(text, &doc, err))
		return error_wrap(err, "what the plug-in printed");
	if (!cstr_eq(json_string(json_get(doc, "kind")), "ExecCredential") ||
	    !cstr_eq(json_string(json_get(doc, "apiVersion")), version))
		return error_set(err, ERR_INVALID, "the plug-in printed no ExecCredential of %s", version);
	status = json_get(doc, "status");
	token = json_string(json_get(status, "token"));
	cert = json_string(json_get(status, "clientCertificateData"));
	key = json_string(json_get(status, "clientKeyData"));
	if ((!token || !*token) && !(cert && key))
		return error_set(err, ERR_DENIED, "the plug-in gave neither a token nor a certificate with its key");
	for (const char *c = token ? token : ""; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '\177')
			return error_set(err, ERR_INVALID, "the plug-in's token is not one word");
	a->token = arena_strdup(&a->arena, token);
	if (cert && key) {
		a->tls.cert_pem = str_from(arena_strdup(&a->arena, cert));
		a->tls.key_pem = str_from(arena_strdup(&a->arena, key));
	}
	*ret_until_ms = TIME_NONE;
	(void)json_time(json_get(status, "expirationTimestamp"), ret_until_ms);
	return 0;
}

/* ---- the cache ---- */

static void describe(struct json_writer *w, const char *key, const struct json *j)
{
	if (json_is_object(j)) {
		jw_object(w, key);
		json_each (item, j)
			describe(w, json_key(item), item);
		jw_end_object(w);
	} else if (json_is_array(j)) {
		jw_array(w, key);
		json_each (item, j)
			describe(w, NULL, item);
		jw_end_array(w);
	} else {
		jw_string(w, key, json_string(j));
	}
}

/* A file for each plug-in with its arguments and cluster. NULL when there is no place for it. */
static char *cache_path(const struct json *exec, const char *dir, const struct k8s_auth *a)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_CREDENTIAL);
	_cleanup_free_ char *parent = NULL, *own = NULL, *folder = NULL;
	struct json_writer w = json_writer(&text);
	struct error none;
	char name[SHA256_HEX];

	if ((!base || *base != '/') && (!home || *home != '/'))
		return NULL;
	parent = base && *base == '/' ? xstrdup(base) : xasprintf("%s/.cache", home);
	own = xasprintf("%s/loadshift", parent);
	folder = xasprintf("%s/credentials", own);
	(void)mkdir(parent, 0700);
	(void)mkdir(own, 0700);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return NULL;
	jw_object(&w, NULL);
	jw_string(&w, "server", a->server);
	jw_string(&w, "dir", dir);
	describe(&w, "exec", exec);
	jw_end_object(&w);
	if (buf_check(&text, "exec", &none))
		return NULL;
	return xasprintf("%s/%s.json", folder, sha256_hex(buf_str(&text), name));
}

static bool take_kept(const char *path, const char *version, struct k8s_auth *a)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_CREDENTIAL);
	struct k8s_auth kept = *a;
	struct error none;
	struct stat st;
	int64_t until_ms;

	/* Nobody else's, and for nobody else's eyes. */
	if (lstat(path, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) ||
	    buf_read_file(&text, path, &none) || take(buf_str(&text), version, &kept, &until_ms, &none) ||
	    until_ms == TIME_NONE || until_ms - EARLY_MS <= clock_wall_ms())
		return false;
	*a = kept;
	return true;
}

/* Complete or not at all; that it cannot be kept is no error. */
static void keep(const char *path, struct str text)
{
	_cleanup_free_ char *part = xasprintf("%s.XXXXXX", path);
	int fd = mkstemp(part); /* mode 0600 */

	if (fd < 0)
		return;
	bool whole = write(fd, text.ptr, text.len) == (ssize_t)text.len;
	if (close(fd) || !whole || rename(part, path))
		(void)unlink(part);
}

int exec_credential(const struct json *exec, const char *dir, struct k8s_auth *a, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_CREDENTIAL);
	_cleanup_free_ char *path = NULL;
	const char *version = version_of(exec);
	int64_t until_ms;

	if (!version)
		return error_set(err, ERR_INVALID, "apiVersion must be client.authentication.k8s.io/v1 (or v1beta1)");
	path = cache_path(exec, dir, a);
	if (path && take_kept(path, version, a))
		return 0;
	if (run_plugin(exec, dir, a, &text, err) || take(buf_str(&text), version, a, &until_ms, err))
		return -1;
	if (path && until_ms != TIME_NONE)
		keep(path, buf_str(&text));
	explicit_bzero(text.ptr, text.len);
	return 0;
}
