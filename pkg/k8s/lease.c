/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election: one thread that acquires, renews and watches the Lease by reading it again and again. */
#include "k8s/lease.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rand.h"
#include "json/writer.h"
#include "k8s/internal.h"
#include "k8s/types/lease.h"
#include "metrics/metrics.h"

static struct metric master_metric =
	METRIC_GAUGE("leader_election_master_status", "1 while this process holds the Lease, else 0.", "name");

struct lease {
	struct lease_options options; /* strings owned */
	struct k8s_client *client;
	char path[K8S_PATH_MAX];
	_Atomic(int64_t) held_until_ms; /* monotonic; TIME_NONE = not held */
	struct metric_series *master;
	pthread_t thread;
	pthread_mutex_t mutex; /* stop, observed */
	pthread_cond_t wake;
	bool stop;
	/* Written by the election thread only. */
	const struct object *observed; /* the record as last read or written, or NULL */
	int64_t observed_ms;           /* monotonic time of its last change */
	bool leading;                  /* acquired() was called */
};

bool lease_is_held(const struct lease *l)
{
	return clock_mono_ms() < atomic_load(&l->held_until_ms);
}

int lease_gate(void *lease, int64_t *ret_valid_ms, struct error *err)
{
	const struct lease *l = lease;
	int64_t left_ms = atomic_load(&l->held_until_ms);

	/* TIME_NONE is far below any time; subtracting from it would overflow. */
	left_ms = left_ms == TIME_NONE ? 0 : left_ms - clock_mono_ms();
	if (left_ms <= 0)
		return error_set(err, ERR_CONFLICT, "not the leader");
	*ret_valid_ms = left_ms;
	return 0;
}

char *lease_holder(struct lease *l, char out[256])
{
	MUTEX_GUARD(&l->mutex);
	(void)str_copy(out, 256, str_from(l->observed ? lease_record_of(l->observed)->holder : ""));
	return out;
}

/* Takes over the reference. The clock of the record's age starts again only when somebody has written to it. */
static void observe(struct lease *l, const struct object *o, int64_t mono_ms)
{
	const struct object *before = l->observed;

	if (!before || strcmp(before->meta.resource_version, o->meta.resource_version) != 0 ||
	    strcmp(before->meta.uid, o->meta.uid) != 0)
		l->observed_ms = mono_ms;
	(void)pthread_mutex_lock(&l->mutex);
	l->observed = o;
	(void)pthread_mutex_unlock(&l->mutex);
	object_unref(before);
}

/* The whole record as ours (or as nobody's); with a precondition unless it is to be created. */
static int write_body(const struct lease *l, bool create, bool release, struct buf *b, struct error *err)
{
	const struct lease_record *now = create ? NULL : lease_record_of(l->observed);
	bool ours = now && strcmp(now->holder, l->options.identity) == 0;
	struct json_writer w = json_writer(b);
	char time[TIME_TEXT];

	time_format_micro(clock_wall_ms(), time);
	jw_object(&w, NULL);
	if (create) {
		jw_string(&w, "apiVersion", lease_type.api_version);
		jw_string(&w, "kind", lease_type.kind);
	}
	jw_object(&w, "metadata");
	if (create)
		jw_string(&w, "name", l->options.name);
	else
		jw_string(&w, "resourceVersion", l->observed->meta.resource_version);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_string(&w, "holderIdentity", release ? NULL : l->options.identity);
	/* After a release others need not wait; a second is the least that is allowed. */
	jw_i64(&w, "leaseDurationSeconds", release ? 1 : (l->options.duration_ms + SECOND_MS - 1) / SECOND_MS);
	jw_string(&w, "renewTime", time);
	if (!ours)
		jw_string(&w, "acquireTime", time);
	jw_i64(&w, "leaseTransitions", now ? now->transitions + !ours : 0);
	jw_end_object(&w);
	jw_end_object(&w);
	return buf_check(b, "lease", err);
}

/* Writes the record; success makes us the holder until renew_ms after the request was *sent*. */
static int write_record(struct lease *l, bool create, bool release, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(4096), answer = BUF_INIT(64 * 1024);
	char collection[K8S_PATH_MAX];
	const struct object *o;
	int64_t sent_ms = clock_mono_ms();

	if (write_body(l, create, release, &body, err) ||
	    k8s_path(collection, &lease_type, l->options.ns, NULL, NULL, err))
		return -1;
	if (create ? k8s_create(l->client, collection, buf_str(&body), &answer, err)
		   : k8s_patch(l->client, l->path, K8S_PATCH_MERGE, buf_str(&body), &answer, err))
		return -1;
	if (object_parse(&lease_type, buf_str(&answer), &o, err))
		return -1;
	observe(l, o, clock_mono_ms());
	if (!release)
		atomic_store(&l->held_until_ms, sent_ms + l->options.renew_ms);
	return 0;
}

static int read_record(struct lease *l, struct error *err)
{
	const struct object *o;

	if (k8s_get_object(l->client, &lease_type, l->options.ns, l->options.name, &o, err))
		return -1;
	observe(l, o, clock_mono_ms());
	return 0;
}

/* Somebody else holds it, as far as our own clock and eyes can tell. */
static bool is_taken(const struct lease *l)
{
	const struct lease_record *r = lease_record_of(l->observed);
	int64_t duration_ms = r->duration_ms > 0 ? r->duration_ms : l->options.duration_ms;

	return *r->holder && strcmp(r->holder, l->options.identity) != 0 &&
	       clock_mono_ms() < l->observed_ms + duration_ms;
}

static int acquire_or_renew(struct lease *l, struct error *err)
{
	/* The usual renewal is one write. Without a valid claim, look first. */
	if (lease_is_held(l) && l->observed && write_record(l, false, false, err) == 0)
		return 0;
	if (read_record(l, err))
		return err->code == ERR_NOT_FOUND ? write_record(l, true, false, err) : -1;
	if (is_taken(l)) {
		/* Taken from us, for example by a person who edited it: do not use up what was left. */
		atomic_store(&l->held_until_ms, TIME_NONE);
		return error_set(err, ERR_CONFLICT, "held by %s", lease_record_of(l->observed)->holder);
	}
	return write_record(l, false, false, err);
}

/* Tells the owner, once, when holding began or ended. */
static void report(struct lease *l)
{
	bool held = lease_is_held(l);
	void (*fn)(void *arg) = held ? l->options.acquired : l->options.lost;

	metric_set(l->master, held);
	if (held == l->leading)
		return;
	l->leading = held;
	if (fn)
		fn(l->options.arg);
}

static void *election(void *arg)
{
	struct lease *l = arg;
	int64_t next_ms = 0;

	thread_set_name("lease");
	for (;;) {
		struct error err;

		if (clock_mono_ms() >= next_ms) {
			(void)acquire_or_renew(l, &err);
			next_ms = clock_mono_ms() + l->options.retry_ms + rand_below(l->options.retry_ms / 5 + 1);
		}
		report(l);
		MUTEX_GUARD(&l->mutex);
		/* A claim that runs out before the next try is reported when it does. */
		int64_t until_ms = atomic_load(&l->held_until_ms);
		if (!l->stop)
			cond_wait_until(&l->wake, &l->mutex, l->leading ? MIN(next_ms, until_ms) : next_ms);
		if (l->stop)
			return NULL;
	}
}

int lease_new(struct k8s *k, const struct lease_options *o, struct lease **ret, struct error *err)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->options = *o;
	l->options.duration_ms = o->duration_ms ? o->duration_ms : 15 * SECOND_MS;
	l->options.renew_ms = o->renew_ms ? o->renew_ms : 10 * SECOND_MS;
	l->options.retry_ms = o->retry_ms ? o->retry_ms : 2 * SECOND_MS;
	l->options.ns = xstrdup(o->ns);
	l->options.name = xstrdup(o->name);
	l->options.identity = xstrdup(o->identity);
	l->client = k8s_client_new_ungated(k);
	/* A request that hangs must leave time for another one. */
	k8s_client_set_timeout(l->client, MAX(l->options.renew_ms / 2, 1));
	atomic_init(&l->held_until_ms, TIME_NONE);
	l->master = metric_series(&master_metric, o->name);
	(void)pthread_mutex_init(&l->mutex, NULL);
	cond_init(&l->wake);
	l->stop = true; /* until the thread runs */

	int failed = k8s_path(l->path, &lease_type, o->ns, o->name, NULL, err);
	if (!failed && (l->options.duration_ms <= l->options.renew_ms ||
			l->options.renew_ms * 10 <= l->options.retry_ms * 12 || l->options.retry_ms <= 0))
		failed = error_set(err, ERR_INVALID, "lease: duration must exceed renew, and renew 1.2 times retry");
	if (!failed) {
		l->stop = false;
		int errnum = pthread_create(&l->thread, NULL, election, l);
		if (errnum) {
			l->stop = true;
			failed = error_errno(err, ERR_INTERNAL, errnum, "lease thread");
		}
	}
	if (failed) {
		lease_free(l);
		return -1;
	}
	*ret = l;
	return 0;
}

static void give_back(struct lease *l)
{
	struct error err;

	if (lease_is_held(l)) {
		/* Before the request: from here on nothing of ours may pass the gate. */
		atomic_store(&l->held_until_ms, TIME_NONE);
		(void)write_record(l, false, true, &err);
	}
	report(l);
}

void lease_free(struct lease *l)
{
	if (!l)
		return;
	(void)pthread_mutex_lock(&l->mutex);
	bool running = !l->stop;
	l->stop = true;
	(void)pthread_cond_signal(&l->wake);
	(void)pthread_mutex_unlock(&l->mutex);
	if (running) {
		(void)pthread_join(l->thread, NULL);
		give_back(l);
	}
	k8s_client_free(l->client);
	object_unref(l->observed);
	free((char *)l->options.ns);
	free((char *)l->options.name);
	free((char *)l->options.identity);
	(void)pthread_cond_destroy(&l->wake);
	(void)pthread_mutex_destroy(&l->mutex);
	free(l);
}
