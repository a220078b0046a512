/* SPDX-License-Identifier: Apache-2.0 */
/* ENTSO-E's market documents, read with expat. */
#include <expat.h>
#include <limits.h>

#include "grid/period.h"
#include "grid/providers/entsoe.h"

struct reader {
	XML_Parser xml;
	entsoe_fn fn;
	void *arg;
	struct grid_answer *a;
	struct error *err;
	bool failed;
	char path[ENTSOE_MAX_DEPTH][ENTSOE_TEXT_MAX];
	int depth;
	char text[ENTSOE_TEXT_MAX];
	size_t text_len; /* past ENTSOE_TEXT_MAX: too long */
	bool is_document, is_acknowledgement;
	char code[8]; /* of the first reason */
	struct entsoe_series series;
	struct grid_sparse period;
	int64_t position; /* of the point being read; 0 = none */
	double value;
	bool has_value, is_nonsense;
	int64_t held; /* position whose end is not known yet; 0 = none */
	double held_value;
	int64_t steps; /* of all points so far */
};

static void refuse(struct reader *r, const char *what)
{
	if (!r->failed)
		(void)error_set(r->err, ERR_INVALID, "%s", what);
	r->failed = true;
	(void)XML_StopParser(r->xml, XML_FALSE);
}

static void drop(struct reader *r, enum grid_drop reason)
{
	if (r->a)
		grid_answer_drop(r->a, reason);
}

/* The point held back goes out, now that the next position (0 = none) is known. */
static void flush(struct reader *r, int64_t next)
{
	struct entsoe_point p = { .step_ms = r->period.step_ms, .value = r->held_value };
	int64_t held = r->held;

	r->held = 0;
	if (!held)
		return;
	if (!grid_sparse_span(&r->period, held, r->series.is_sparse ? next : 0, &p.from_ms, &p.to_ms)) {
		drop(r, GRID_DROP_STEP);
		return;
	}
	if (!r->series.is_sparse)
		p.to_ms = p.from_ms + p.step_ms;
	r->steps += (p.to_ms - p.from_ms) / p.step_ms;
	if (r->steps > ENTSOE_MAX_ALL_STEPS)
		refuse(r, "more values than an answer can have");
	else
		r->fn(r->arg, &r->series, &p);
}

/* A value that cannot be read ends the one before all the same: it was another. */
static void end_point(struct reader *r)
{
	flush(r, r->position);
	if (r->position <= 0 || r->is_nonsense)
		drop(r, GRID_DROP_TYPE);
	else if (!r->has_value)
		drop(r, GRID_DROP_MISSING);
	else
		r->held = r->position;
	r->held_value = r->value;
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;
	const char *colon = strchr(name, ':');
	struct str local = str_from(colon ? colon + 1 : name);

	(void)attributes;
	r->text_len = 0;
	r->text[0] = '\0';
	if (r->depth == ENTSOE_MAX_DEPTH) {
		refuse(r, "the document is nested too deeply");
		return;
	}
	/* A name that does not fit is none that is looked for. */
	if (!str_copy(r->path[r->depth++], ENTSOE_TEXT_MAX, local))
		r->path[r->depth - 1][0] = '\0';
	if (r->depth == 1) {
		r->is_document = str_is(local, "Publication_MarketDocument") || str_is(local, "GL_MarketDocument");
		r->is_acknowledgement = str_is(local, "Acknowledgement_MarketDocument");
		if (!r->is_document && !r->is_acknowledgement)
			refuse(r, "neither a publication, a generation nor an acknowledgement document");
	}
	if (str_is(local, "TimeSeries"))
		r->series = (struct entsoe_series){ 0 };
	if (str_is(local, "Period"))
		r->period = (struct grid_sparse){ 0 };
	if (str_is(local, "Point")) {
		r->position = 0;
		r->has_value = r->is_nonsense = false;
	}
}

static void on_text(void *arg, const char *text, int len)
{
	struct reader *r = arg;
	size_t room = sizeof(r->text) - 1 - MIN(r->text_len, sizeof(r->text) - 1), n = MIN((size_t)len, room);

	memcpy(r->text + MIN(r->text_len, sizeof(r->text) - 1), text, n);
	r->text_len += (size_t)len;
	r->text[MIN(r->text_len, sizeof(r->text) - 1)] = '\0';
}

/* Is the element that ends the last of this path? */
static bool is_at(const struct reader *r, const char *parent, const char *name)
{
	return r->depth >= 2 && strcmp(r->path[r->depth - 1], name) == 0 && strcmp(r->path[r->depth - 2], parent) == 0;
}

static int64_t read_step(struct str text)
{
	static const struct {
		const char *name;
		int64_t ms;
	} steps[] = {
		{ "PT15M", 15 * MINUTE_MS }, { "PT30M", 30 * MINUTE_MS }, { "PT60M", HOUR_MS }, { "PT1H", HOUR_MS }
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (str_is(text, steps[i].name))
			return steps[i].ms;
	return 0;
}

static void end_in_series(struct reader *r, struct str text)
{
	struct entsoe_series *s = &r->series;

	if (is_at(r, "TimeSeries", "in_Domain.mRID") || is_at(r, "TimeSeries", "inBiddingZone_Domain.mRID"))
		(void)str_copy(s->domain, sizeof(s->domain), text);
	if (is_at(r, "TimeSeries", "outBiddingZone_Domain.mRID")) {
		(void)str_copy(s->domain, sizeof(s->domain), text);
		s->is_consumption = true;
	}
	if (is_at(r, "TimeSeries", "currency_Unit.name"))
		(void)str_copy(s->currency, sizeof(s->currency), text);
	if (is_at(r, "TimeSeries", "price_Measure_Unit.name") || is_at(r, "TimeSeries", "quantity_Measure_Unit.name"))
		(void)str_copy(s->unit, sizeof(s->unit), text);
	if (is_at(r, "TimeSeries", "curveType"))
		s->is_sparse = str_is(text, "A03");
	if (is_at(r, "MktPSRType", "psrType"))
		(void)str_copy(s->type, sizeof(s->type), text);
	if (is_at(r, "TimeSeries", "classificationSequence_AttributeInstanceComponent.position") &&
	    !str_to_i64(text, 1, 99, &s->sequence))
		s->sequence = INT64_MAX;
}

static void end_in_period(struct reader *r, struct str text)
{
	bool of_period = r->depth >= 3 && strcmp(r->path[r->depth - 3], "Period") == 0;
	struct grid_sparse *p = &r->period;

	if (of_period && is_at(r, "timeInterval", "start") && !time_parse(text, &p->start_ms))
		drop(r, GRID_DROP_TYPE);
	if (of_period && is_at(r, "timeInterval", "end") && !time_parse(text, &p->end_ms))
		drop(r, GRID_DROP_TYPE);
	if (is_at(r, "Period", "resolution"))
		p->step_ms = read_step(text);
	if (p->step_ms && p->end_ms - p->start_ms > ENTSOE_MAX_STEPS * p->step_ms)
		p->step_ms = 0; /* its points are dropped */
	if (is_at(r, "Point", "position") && !str_to_i64(text, 1, ENTSOE_MAX_STEPS, &r->position))
		r->position = 0;
	if (is_at(r, "Point", "price.amount") || is_at(r, "Point", "quantity")) {
		r->has_value = str_to_double(text, &r->value);
		r->is_nonsense = !r->has_value && r->text_len > 0;
	}
}

static void on_end(void *arg, const char *name)
{
	struct reader *r = arg;
	struct str text = str_trim(str_from(r->text_len < sizeof(r->text) ? r->text : ""));

	(void)name;
	if (r->failed)
		return;
	end_in_series(r, text);
	end_in_period(r, text);
	if (is_at(r, "Reason", "code") && !r->code[0])
		(void)str_copy(r->code, sizeof(r->code), text);
	if (is_at(r, "Period", "Point"))
		end_point(r);
	if (is_at(r, "TimeSeries", "Period"))
		flush(r, 0);
	r->depth--;
	r->text_len = 0;
	r->text[0] = '\0';
}

static void on_doctype(void *arg, const char *name, const char *system_id, const char *public_id, int internal)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)internal;
	refuse(arg, "a document type declaration is refused");
}

static int verdict(const struct reader *r, struct error *err)
{
	if (!r->is_acknowledgement)
		return 0;
	if (strcmp(r->code, "999") == 0)
		return error_set(err, ERR_NOT_FOUND, "no matching data (acknowledgement 999)");
	return error_set(err, ERR_INVALID, "refused with an acknowledgement");
}

int entsoe_read(struct str body, entsoe_fn fn, void *arg, struct grid_answer *a, struct error *err)
{
	struct reader *r;
	int failed = -1;

	if (body.len > INT_MAX)
		return error_set(err, ERR_LIMIT, "the document is too large");
	r = xcalloc(1, sizeof(*r));
	r->fn = fn;
	r->arg = arg;
	r->a = a;
	r->err = err;
	r->xml = XML_ParserCreate(NULL);
	if (!r->xml)
		abort();
	XML_SetUserData(r->xml, r);
	XML_SetElementHandler(r->xml, on_start, on_end);
	XML_SetCharacterDataHandler(r->xml, on_text);
	XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
	if (XML_Parse(r->xml, body.ptr, (int)body.len, 1) == XML_STATUS_ERROR) {
		if (!r->failed)
			(void)error_set(err, ERR_INVALID, "XML line %lu: %s",
					(unsigned long)XML_GetCurrentLineNumber(r->xml),
					XML_ErrorString(XML_GetErrorCode(r->xml)));
	} else if (!r->failed) {
		failed = verdict(r, err);
	}
	XML_ParserFree(r->xml);
	free(r);
	return failed;
}
