/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap of events. */
#include "sim/cluster_events.h"

#include "base/alloc.h"
#include "base/vec.h"

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

void events_push(struct event_queue *q, struct event e)
{
	size_t i = q->len;

	q->heap = vec_grow(q->heap, q->len, &q->cap, sizeof(*q->heap));
	q->len++;
	e.number = q->count++;
	for (; i > 0 && before(&e, &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		q->heap[i] = q->heap[(i - 1) / 2];
	q->heap[i] = e;
}

bool events_pop(struct event_queue *q, struct event *ret)
{
	if (q->len == 0)
		return false;
	*ret = q->heap[0];
	struct event last = q->heap[--q->len];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < q->len; i = child) {
		if (child + 1 < q->len && before(&q->heap[child + 1], &q->heap[child]))
			child++;
		if (!before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
	}
	q->heap[i] = last;
	return true;
}

void events_release(struct event_queue *q)
{
	free(q->heap);
	*q = (struct event_queue){ .len = 0 };
}
