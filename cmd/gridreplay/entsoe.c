/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ENTSO-E's transparency platform, XML: day-ahead prices (A44) and generation by type (A75), curve type A03, where a
 * position that repeats its predecessor is left out. Two sequences where there are two auctions; the second is 5 EUR
 * dearer and must not be taken. For GB there are no prices, by design: code 999.
 */
#include "series.h"

static const struct {
	const char *psr;
	int fuel;
} types[] = { { "B04", MIX_GAS },   { "B05", MIX_COAL },  { "B14", MIX_NUCLEAR },
	      { "B12", MIX_HYDRO }, { "B16", MIX_SOLAR }, { "B19", MIX_WIND } };

static char *minute_text(int64_t ms, char out[TIME_TEXT])
{
	return time_format_minute(ms, out);
}

static int no_data(struct request *req)
{
	(void)buf_adds(req->out,
		       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Acknowledgement_MarketDocument "
		       "xmlns=\"urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0\"><mRID>replay</mRID>"
		       "<Reason><code>999</code><text>No matching data found</text></Reason>"
		       "</Acknowledgement_MarketDocument>\n");
	return 200;
}

static void open_period(struct request *req, struct span s)
{
	char from[TIME_TEXT], to[TIME_TEXT];

	(void)buf_addf(req->out,
		       "<Period><timeInterval><start>%s</start><end>%s</end></timeInterval><resolution>PT%dM"
		       "</resolution>",
		       minute_text(series_label(req, s.from_ms), from), minute_text(series_label(req, s.to_ms), to),
		       (int)(s.step_ms / MINUTE_MS));
}

static void put_point(struct request *req, int position, const char *element, struct point p, int places)
{
	char text[32];

	(void)buf_addf(req->out, "<Point><position>%d</position><%s>%s</%s></Point>", position, element,
		       point_text(p, places, text), element);
}

static void put_prices(struct request *req, struct span s, const char *domain, int sequence)
{
	(void)buf_addf(
		req->out,
		"<TimeSeries><mRID>%d</mRID><auction.type>A01</auction.type><businessType>A62</businessType>"
		"<in_Domain.mRID codingScheme=\"A01\">%s</in_Domain.mRID>"
		"<out_Domain.mRID codingScheme=\"A01\">%s</out_Domain.mRID>"
		"<contract_MarketAgreement.type>A01</contract_MarketAgreement.type>"
		"<currency_Unit.name>%s</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
		"<classificationSequence_AttributeInstanceComponent.position>%d"
		"</classificationSequence_AttributeInstanceComponent.position><curveType>A03</curveType>",
		sequence, domain, domain, req->fault[FAULT_MAPPING] ? "XXX" : "EUR", sequence);
	open_period(req, s);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_WHOLESALE, t, 0);
		int position = (int)((t - s.from_ms) / s.step_ms) + 1;

		p.value += sequence == 2 ? 5 : 0;
		/* Within an hour the price stands still: only its first quarter is written. */
		if (p.state != POINT_NONE && (s.step_ms == HOUR_MS || t % SLOT_MS == 0 || position == 1))
			put_point(req, position, "price.amount", p, 2);
	}
	(void)buf_adds(req->out, "</Period></TimeSeries>");
}

static void put_type(struct request *req, struct span s, const char *domain, size_t type)
{
	(void)buf_addf(req->out,
		       "<TimeSeries><mRID>%d</mRID><businessType>A01</businessType><objectAggregation>A08"
		       "</objectAggregation><inBiddingZone_Domain.mRID codingScheme=\"A01\">%s"
		       "</inBiddingZone_Domain.mRID><quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>"
		       "<curveType>A03</curveType><MktPSRType><psrType>%s</psrType></MktPSRType>",
		       (int)type + 1, domain, types[type].psr);
	open_period(req, s);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		int mix[MIX_FUELS];
		struct point p = series_point(req, Q_DEMAND, t, 0);

		mix_at(req, t, mix);
		p.value *= mix[types[type].fuel] / 1000.0;
		if (req->fault[FAULT_DEAD] && (types[type].fuel == MIX_GAS || types[type].fuel == MIX_NUCLEAR))
			p.value = 0;
		if (p.state != POINT_NONE)
			put_point(req, (int)((t - s.from_ms) / s.step_ms) + 1, "quantity", p, 0);
	}
	(void)buf_adds(req->out, "</Period></TimeSeries>");
}

static void open_document(struct request *req, bool prices)
{
	char made[TIME_TEXT];

	(void)buf_addf(req->out,
		       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s_MarketDocument xmlns=\"urn:iec62325.351:"
		       "tc57wg16:451-%s\"><mRID>replay</mRID><revisionNumber>1</revisionNumber><type>%s</type>"
		       "<createdDateTime>%s</createdDateTime>%s",
		       prices ? "Publication" : "GL",
		       prices ? "3:publicationdocument:7:3" : "6:generationloaddocument:3:0", prices ? "A44" : "A75",
		       time_format(req->now_ms, made),
		       req->fault[FAULT_SCHEMA] ? "<surprise a=\"b\"><nested/></surprise>" : "");
}

/* /api?documentType=A44|A75&in_Domain&periodStart&periodEnd&securityToken */
int entsoe_answer(struct request *req)
{
	const char *domain = param_text(req, "in_Domain", "");
	bool prices = cstr_eq(param_text(req, "documentType", ""), "A44");
	int64_t now = series_measured_ms(req), to = param_time(req, "periodEnd", now + DAY_MS);
	struct span s =
		series_span(req, param_time(req, "periodStart", now - DAY_MS), prices ? to : MIN(to, now), HOUR_MS);

	if (req->n_path != 1)
		return refuse_json(req, 404, "error", "no such path");
	req->type = "text/xml";
	s.to_ms = time_slot_floor(s.to_ms, s.step_ms);
	/* What is not published is not in the period: a position left out would repeat the one before it. */
	while (s.to_ms > s.from_ms && series_point(req, Q_WHOLESALE, s.to_ms - s.step_ms, 0).state == POINT_NONE)
		s.to_ms -= s.step_ms;
	if (s.to_ms <= s.from_ms || (prices && cstr_eq(domain, "10YGB----------A")))
		return no_data(req);
	open_document(req, prices);
	if (prices) {
		/* Not in order: it is the number that counts. */
		put_prices(req, s, zone_label(req, domain), 2);
		put_prices(req, s, zone_label(req, domain), 1);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			put_type(req, s, zone_label(req, domain), i);
	}
	(void)buf_addf(req->out, "</%s_MarketDocument>\n", prices ? "Publication" : "GL");
	return 200;
}
