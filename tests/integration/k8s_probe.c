/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pkg/k8s as a program, for tests/integration/test_k8s_runtime.py:
 *
 *	k8s_probe watch KUBECONFIG KIND NAMESPACE|-
 *		tells every change, "synced N", and at SIGTERM "memory KIB" and its metrics
 *	k8s_probe lead KUBECONFIG NAMESPACE IDENTITY
 *		elects; while it leads, patches ConfigMap beat-IDENTITY every 50 ms
 *	k8s_probe record KUBECONFIG NAMESPACE CONFIGMAP
 *		records one Event three times and another one once
 */
#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/controller.h"
#include "k8s/events.h"
#include "k8s/lease.h"
#include "k8s/types/configmap.h"
#include "k8s/types/job.h"
#include "k8s/types/node.h"
#include "k8s/types/pod.h"
#include "metrics/metrics.h"

static _Atomic(bool) stop;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

static void tell(void *arg, const struct object *old, const struct object *new)
{
	(void)arg;
	printf("%s %s\n", !old ? "added" : !new ? "deleted" : "updated", (new ? new : old)->meta.key);
}

/* 0 under a sanitizer, whose own memory it would be. */
static long resident_kib(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 0;
#endif
	_cleanup_(buf_release) struct buf b = BUF_INIT(65536);
	struct error err;

	if (buf_read_file(&b, "/proc/self/status", &err))
		return -1;
	const char *line = strstr(buf_cstr(&b), "VmRSS:");
	return line ? strtol(line + 6, NULL, 10) : -1;
}

static int watch(struct k8s *k, const char *kind, const char *ns, struct error *err)
{
	static const struct object_type *const types[] = { &configmap_type, &job_type, &node_type, &pod_type };
	const struct object_type *type = NULL;
	struct http_loop *loop = NULL;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i]->kind, kind) == 0)
			type = types[i];
	}
	if (!type)
		return error_set(err, ERR_INVALID, "no such kind");
	if (http_loop_new(&loop, err))
		return -1;
	struct informer *i = informer_new(
		k, loop, &(struct informer_options){ .type = type, .ns = strcmp(ns, "-") == 0 ? NULL : ns });
	informer_add_handler(i, tell, NULL);
	long before = resident_kib();
	informer_start(i);
	if (informer_wait_synced(i, MINUTE_MS, err))
		return -1;
	printf("synced %zu\n", store_len(informer_store(i)));
	while (!atomic_load(&stop))
		(void)usleep(10000);
	printf("memory %ld\n", resident_kib() - before);
	informer_free(i);
	http_loop_free(loop);
	_cleanup_(buf_release) struct buf metrics = BUF_INIT(1 << 20);
	metrics_write(&metrics);
	printf("%s", buf_cstr(&metrics));
	return 0;
}

static void acquired(void *arg)
{
	printf("%s leads\n", (const char *)arg);
}

static void lost(void *arg)
{
	printf("%s lost\n", (const char *)arg);
}

static void beat(struct k8s_client *c, const char *ns, const char *identity, int n)
{
	char path[K8S_PATH_MAX], body[64], name[256];
	struct error err = ERROR_INIT;

	(void)snprintf(name, sizeof(name), "beat-%s", identity);
	(void)snprintf(body, sizeof(body), "{\"data\":{\"beat\":\"%d\"}}", n);
	if (k8s_path(path, &configmap_type, ns, name, NULL, &err) ||
	    k8s_patch(c, path, K8S_PATCH_MERGE, str_from(body), NULL, &err))
		printf("refused: %s\n", err.msg);
}

static int lead(struct k8s *k, const char *ns, const char *identity, struct error *err)
{
	struct lease *l = NULL;

	if (lease_new(k,
		      &(struct lease_options){ .ns = ns,
					       .name = "probe",
					       .identity = identity,
					       .duration_ms = 3000,
					       .renew_ms = 2000,
					       .retry_ms = 400,
					       .acquired = acquired,
					       .lost = lost,
					       .arg = (void *)identity },
		      &l, err))
		return -1;
	k8s_set_gate(k, lease_gate, l);
	struct k8s_client *c = k8s_client_new(k);
	for (int n = 0; !atomic_load(&stop); n++) {
		if (lease_is_held(l))
			beat(c, ns, identity, n);
		(void)usleep(50000);
	}
	k8s_client_free(c);
	lease_free(l);
	return 0;
}

static int record(struct k8s *k, const char *ns, const char *name, struct error *err)
{
	_cleanup_(cleanup_k8s_client) struct k8s_client *c = k8s_client_new(k);
	const struct object *o _cleanup_object_ = NULL;
	struct recorder *r = NULL;

	if (k8s_get_object(c, &configmap_type, ns, name, &o, err) || recorder_new(k, "probe", "probe-1", &r, err))
		return -1;
	for (int i = 0; i < 3; i++)
		recorder_event(r, o, EVENT_NORMAL, "Moved", "start moved to %s", "12:00");
	recorder_event(r, o, EVENT_WARNING, "Blocked", "quota");
	recorder_free(r);
	return 0;
}

static int run(int argc, char **argv, struct error *err)
{
	struct k8s_auth auth;
	struct k8s *k = NULL;

	if (argc != 5)
		return error_set(err, ERR_INVALID, "see the comment in its source");
	if (http_client_global_init(err) || k8s_auth_load(argv[2], NULL, &auth, err) ||
	    k8s_new(&auth, &(struct k8s_options){ .field_manager = "probe" }, &k, err))
		return -1;
	int failed = strcmp(argv[1], "watch") == 0  ? watch(k, argv[3], argv[4], err)
		     : strcmp(argv[1], "lead") == 0 ? lead(k, argv[3], argv[4], err)
						    : record(k, argv[3], argv[4], err);
	if (!failed)
		k8s_free(k);
	return failed;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGTERM, on_signal);
	if (run(argc, argv, &err)) {
		printf("failed: %s\n", err.msg);
		return 1;
	}
	return 0;
}
