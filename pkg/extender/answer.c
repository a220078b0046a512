/* SPDX-License-Identifier: Apache-2.0 */
/* One request from body to reply. */
#include "extender/answer.h"

/* Longest name of a Node (RFC 1123 subdomain); one with escapes that is longer is not looked for. */
#define MAX_NAME 253

static const char *const drop_reasons[] = {
	[EXTENDER_DROP_REGION] = "\"not in the regions the pod allows\"",
	[EXTENDER_DROP_CARBON] = "\"carbon above the pod's max-carbon-g-per-kwh\"",
	[EXTENDER_DROP_PRICE] = "\"price above the pod's max-price-per-kwh\"",
};

void extender_scratch_release(struct extender_scratch *s)
{
	extender_args_release(&s->args);
	vec_release(&s->regions);
}

/* Finds the region of each candidate and counts them. */
static void find_regions(const struct extender_snapshot *s, struct extender_scratch *scratch,
			 struct extender_counts *ret)
{
	size_t n = scratch->args.names.len;

	memset(ret, 0, sizeof(*ret));
	if (scratch->regions.cap < n) {
		scratch->regions.ptr = xrealloc(scratch->regions.ptr, n);
		scratch->regions.cap = n;
	}
	scratch->regions.len = n;
	for (size_t i = 0; i < n; i++) {
		char buf[MAX_NAME];
		struct str name = cursor_decode(scratch->args.names.ptr[i], buf, sizeof(buf));
		unsigned region = extender_snapshot_region(s, name);

		scratch->regions.ptr[i] = (uint8_t)region;
		ret->nodes[region]++;
	}
}

static int too_large(struct error *err)
{
	return error_set(err, ERR_LIMIT, "the reply would be larger than %d bytes", EXTENDER_MAX_REPLY);
}

#define HOST "{\"Host\":\""
/* Behind a name, by score; all copied as 16 bytes, of which `len` count. */
static const struct {
	char text[16];
	uint8_t len;
} score_tails[EXTENDER_MAX_SCORE + 1] = {
	{ "\",\"Score\":0},", 13 }, { "\",\"Score\":1},", 13 }, { "\",\"Score\":2},", 13 },  { "\",\"Score\":3},", 13 },
	{ "\",\"Score\":4},", 13 }, { "\",\"Score\":5},", 13 }, { "\",\"Score\":6},", 13 },  { "\",\"Score\":7},", 13 },
	{ "\",\"Score\":8},", 13 }, { "\",\"Score\":9},", 13 }, { "\",\"Score\":10},", 14 },
};

/* Names are short: for most of them a call of memcpy() takes longer than copying. */
static inline char *put_name(char *p, struct str name)
{
	if (name.len >= 8 && name.len <= 16) {
		memcpy(p, name.ptr, 8);
		memcpy(p + name.len - 8, name.ptr + name.len - 8, 8);
	} else {
		memcpy(p, name.ptr, name.len);
	}
	return p + name.len;
}

/* The bare array. Written through a plain pointer into room made beforehand: this loop is most of the extender. */
static int write_scores(const struct extender_scratch *scratch, const uint8_t *score, struct buf *out,
			struct error *err)
{
	const struct cursor_text *c = scratch->args.names.ptr;
	size_t n = scratch->args.names.len, room = 2;
	char *p;

	for (size_t i = 0; i < n; i++)
		room += c[i].raw.len + sizeof(HOST) + sizeof(score_tails[0].text);
	if (buf_reserve(out, room))
		return too_large(err);
	p = out->ptr + out->len;
	*p++ = '[';
	for (size_t i = 0; i < n; i++) {
		unsigned s = score ? score[scratch->regions.ptr[i]] : EXTENDER_NEUTRAL_SCORE;

		memcpy(p, HOST, sizeof(HOST) - 1);
		p += sizeof(HOST) - 1;
		p = put_name(p, c[i].raw);
		memcpy(p, score_tails[s].text, sizeof(score_tails[s].text));
		p += score_tails[s].len;
	}
	if (n)
		p--;
	*p++ = ']';
	*p = '\0';
	out->len = (size_t)(p - out->ptr);
	return 0;
}

static void add_name(struct buf *out, const struct cursor_text *name)
{
	buf_addc(out, '"');
	buf_addstr(out, name->raw);
	buf_addc(out, '"');
}

static void write_kept(const struct extender_scratch *scratch, const struct extender_filter *f, struct buf *out)
{
	const struct extender_args *a = &scratch->args;
	bool comma = false;

	buf_adds(out, a->whole_nodes ? "{\"Nodes\":{\"items\":[" : "{\"NodeNames\":[");
	for (size_t i = 0; i < a->names.len; i++) {
		if (f && f->drop[scratch->regions.ptr[i]] != EXTENDER_KEEP)
			continue;
		if (comma)
			buf_addc(out, ',');
		comma = true;
		if (a->whole_nodes)
			buf_addstr(out, a->nodes.ptr[i]);
		else
			add_name(out, &a->names.ptr[i]);
	}
	buf_adds(out, a->whole_nodes ? "]}" : "]");
}

static void write_dropped(const struct extender_scratch *scratch, const struct extender_filter *f, struct buf *out)
{
	const struct extender_args *a = &scratch->args;
	bool comma = false;

	buf_adds(out, ",\"FailedAndUnresolvableNodes\":{");
	for (size_t i = 0; i < a->names.len; i++) {
		unsigned drop = f->drop[scratch->regions.ptr[i]];

		if (drop == EXTENDER_KEEP)
			continue;
		if (comma)
			buf_addc(out, ',');
		comma = true;
		add_name(out, &a->names.ptr[i]);
		buf_addc(out, ':');
		buf_adds(out, drop_reasons[drop]);
	}
	buf_addc(out, '}');
}

/* f NULL = everything passes. */
static int write_filter(const struct extender_scratch *scratch, const struct extender_filter *f, struct buf *out,
			struct error *err)
{
	const struct extender_args *a = &scratch->args;

	if (f && !f->dropped)
		f = NULL;
	if (!f && !a->whole_nodes) {
		buf_adds(out, "{\"NodeNames\":");
		buf_addstr(out, a->names_text);
	} else {
		write_kept(scratch, f, out);
		if (f)
			write_dropped(scratch, f, out);
	}
	buf_addc(out, '}');
	return out->overflow ? too_large(err) : 0;
}

int extender_answer(enum extender_verb verb, struct str body, const struct extender_snapshot *snapshot, int64_t now_ms,
		    struct extender_scratch *scratch, struct buf *ret_reply, struct extender_outcome *ret,
		    struct error *err)
{
	struct extender_counts counts;
	struct extender_filter filter;
	struct extender_scores scores;

	if (extender_args_parse(&scratch->args, body, err))
		return -1;
	extender_wish_parse(&scratch->args, &scratch->wish);
	*ret = (struct extender_outcome){ .ranking = snapshot ? EXTENDER_RANKED : EXTENDER_NOT_SYNCED,
					  .bad_annotations = scratch->wish.bad,
					  .candidates = scratch->args.names.len };
	if (verb == EXTENDER_PRIORITIZE) {
		if (!snapshot)
			return write_scores(scratch, NULL, ret_reply, err);
		find_regions(snapshot, scratch, &counts);
		extender_decide_scores(snapshot, &counts, &scratch->wish, now_ms, &scores);
		ret->ranking = scores.ranking;
		return write_scores(scratch, scores.score, ret_reply, err);
	}
	if (!snapshot || !extender_wish_limits(&scratch->wish))
		return write_filter(scratch, NULL, ret_reply, err);
	find_regions(snapshot, scratch, &counts);
	extender_decide_filter(snapshot, &counts, &scratch->wish, now_ms, &filter);
	ret->lifted_regions = filter.lifted_regions;
	ret->lifted_caps = filter.lifted_caps;
	return write_filter(scratch, &filter, ret_reply, err);
}
