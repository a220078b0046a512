/* SPDX-License-Identifier: Apache-2.0 */
/* Fuels: names of five vocabularies, factors, memberships, means over mixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "grid/fuel.h"
#include "shared_data.h"

static void names(void **state)
{
	static const struct {
		const char *name;
		enum grid_fuel fuel;
		bool known;
	} cases[] = {
		{ "CCGT", FUEL_GAS, true },
		{ "ccgt", FUEL_GAS, true },
		{ "OCGT", FUEL_GAS_OPEN_CYCLE, true },
		{ "NPSHYD", FUEL_HYDRO, true },
		{ "PS", FUEL_PUMPED, true },
		{ "INTFR", FUEL_IMPORTS_FR, true },
		{ "INTGRNL", FUEL_IMPORTS_IE, true },
		{ "INTNEW", FUEL_IMPORTS, false },
		{ "BIOMASS", FUEL_BIOMASS, true },
		{ "biomass", FUEL_BIOMASS, true },
		{ "imports", FUEL_IMPORTS, true },
		{ "storage", FUEL_STORAGE, true },
		{ "WIND_EMB", FUEL_WIND, true },
		{ "B01", FUEL_BIOMASS, true },
		{ "B02", FUEL_LIGNITE, true },
		{ "B16", FUEL_SOLAR, true },
		{ "B19", FUEL_WIND, true },
		{ "Fossil brown coal / lignite", FUEL_LIGNITE, true },
		{ "Hydro Run-of-River", FUEL_HYDRO, true },
		{ "Wind offshore", FUEL_WIND, true },
		{ "NG", FUEL_GAS, true },
		{ "WAT", FUEL_HYDRO, true },
		{ "COL", FUEL_COAL, true },
		{ "", FUEL_OTHER, false },
		{ "FUSION", FUEL_OTHER, false },
		{ "B99", FUEL_OTHER, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool known;

		if (grid_fuel_of(str_from(cases[i].name), &known) != cases[i].fuel || known != cases[i].known)
			fail_msg("%s", cases[i].name);
	}
	assert_int_equal(grid_fuel_of(STR_NULL, NULL), FUEL_OTHER);
	/* Our own names stand for themselves, and fit a moment. */
	for (int f = 0; f < GRID_FUELS; f++) {
		struct grid_moment m;

		assert_int_equal(grid_fuel_of(str_from(grid_fuel_name((enum grid_fuel)f)), NULL), f);
		assert_true(strlen(grid_fuel_name((enum grid_fuel)f)) < sizeof(m.mix[0].fuel));
	}
}

/* As the Carbon Intensity API gives them. */
static void factors(void **state)
{
	static const struct {
		const char *name;
		int32_t g;
	} published[] = {
		{ "CCGT", 394 },  { "OCGT", 651 }, { "COAL", 937 },   { "OIL", 935 },    { "BIOMASS", 120 },
		{ "OTHER", 300 }, { "PS", 0 },     { "WIND", 0 },     { "SOLAR", 0 },    { "NUCLEAR", 0 },
		{ "NPSHYD", 0 },  { "INTFR", 53 }, { "INTNED", 474 }, { "INTIRL", 458 }, { "unknown", 300 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(published); i++)
		assert_int_equal(grid_fuel_factor_mg(grid_fuel_of(str_from(published[i].name), NULL)),
				 published[i].g * 1000);
	for (int f = 0; f < GRID_FUELS; f++) {
		enum grid_fuel fuel = (enum grid_fuel)f;

		assert_in_range(grid_fuel_factor_mg(fuel), 0, 1100000);
		assert_true(!grid_fuel_is_renewable(fuel) || grid_fuel_is_low_carbon(fuel));
		/* What is called low-carbon emits little. */
		assert_true(!grid_fuel_is_low_carbon(fuel) || grid_fuel_factor_mg(fuel) <= 120000);
	}
	assert_true(grid_fuel_is_low_carbon(FUEL_NUCLEAR) && !grid_fuel_is_renewable(FUEL_NUCLEAR));
	assert_false(grid_fuel_is_low_carbon(FUEL_PUMPED) || grid_fuel_is_low_carbon(FUEL_IMPORTS_NO));
}

static void limits(void **state)
{
	struct grid_fuel_mix m = { .mw = { 0 } };

	(void)state;
	assert_false(grid_mix_add(&m, STR("CCGT"), NAN));
	assert_false(grid_mix_add(&m, STR("CCGT"), INFINITY));
	assert_false(grid_mix_add(&m, STR("CCGT"), 2e6));
	assert_false(m.known[FUEL_GAS]);
	assert_true(grid_mix_add(&m, STR("CCGT"), 100));
	assert_true(grid_mix_add(&m, STR("WIND"), 100));
	assert_true(grid_mix_add(&m, STR("NUCLEAR"), 0));
	assert_false(grid_mix_is_whole(&m));
	assert_true(grid_mix_add(&m, STR("INTFR"), -50));
	assert_false(grid_mix_is_whole(&m));
	assert_true(grid_mix_add(&m, STR("NUCLEAR"), 100));
	assert_true(grid_mix_is_whole(&m));
	assert_int_equal(grid_mix_carbon_mg(&m), 131333);
	assert_int_equal(grid_mix_renewable_permille(&m), 333);
	assert_int_equal(grid_mix_low_carbon_permille(&m), 667);
	/* A dead leg in daylight: wind, sun and water are three, but gas and nuclear read zero. */
	m = (struct grid_fuel_mix){ .mw = { 0 } };
	assert_true(grid_mix_add(&m, STR("WIND"), 5000) && grid_mix_add(&m, STR("SUN"), 5000) &&
		    grid_mix_add(&m, STR("WAT"), 500) && grid_mix_add(&m, STR("NG"), 0));
	assert_true(grid_mix_is_whole(&m));
	assert_true(grid_mix_add(&m, STR("NUC"), 0));
	assert_false(grid_mix_is_whole(&m));
}

/* Against sums by hand: what is negative weighs nothing, means lie between the extremes. */
static void random_mixes(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct grid_fuel_mix m = { .mw = { 0 } };
		struct grid_moment moment = { .n_mix = 0 };
		double supply = 0, grams = 0, green = 0;
		int permille = 0;

		for (int f = 0; f < GRID_FUELS; f++) {
			double mw = floor(rand_unit(&seed) * 12000 - 2000);

			assert_true(grid_mix_add(&m, str_from(grid_fuel_name((enum grid_fuel)f)), mw));
			if (mw > 0) {
				supply += mw;
				grams += mw * grid_fuel_factor_mg((enum grid_fuel)f);
				green += grid_fuel_is_renewable((enum grid_fuel)f) ? mw : 0;
			}
		}
		assert_true(fabs(grid_mix_supply_mw(&m) - supply) < 1e-6);
		assert_true(fabs(grid_mix_carbon_mg(&m) - grams / supply) <= 1);
		assert_true(fabs(grid_mix_renewable_permille(&m) - green * 1000 / supply) <= 1);
		assert_true(grid_mix_low_carbon_permille(&m) >= grid_mix_renewable_permille(&m));
		grid_mix_to_moment(&m, &moment);
		assert_int_equal(moment.n_mix, GRID_FUELS);
		for (int k = 0; k < moment.n_mix; k++)
			permille += moment.mix[k].permille;
		assert_in_range(permille, 1000 - GRID_FUELS / 2, 1000 + GRID_FUELS / 2);
	}
}

/* Lifecycle factors (IPCC 2011) that Let's Wait Awhile (Middleware 2021) used for GB. */
static const double published_factors[GRID_FUELS] = {
	[FUEL_BIOMASS] = 18,     [FUEL_COAL] = 1001,     [FUEL_GAS] = 469,        [FUEL_OIL] = 840,
	[FUEL_HYDRO] = 4,        [FUEL_NUCLEAR] = 16,    [FUEL_WIND] = 12,        [FUEL_SOLAR] = 46,
	[FUEL_OTHER] = 770,      [FUEL_IMPORTS_FR] = 39, [FUEL_IMPORTS_BE] = 153, [FUEL_IMPORTS_NL] = 452,
	[FUEL_IMPORTS_IE] = 348,
};

static bool next_line(FILE *f, char line[512], struct str *ret)
{
	if (!fgets(line, 512, f))
		return false;
	*ret = str_trim(str_from(line));
	return true;
}

/* What a column of the recorded mix is to Elexon or ENTSO-E. */
static struct str fuel_of_column(struct str name)
{
	return str_is(name, "FR")   ? STR("INTFR")
	       : str_is(name, "NL") ? STR("INTNED")
	       : str_is(name, "IE") ? STR("INTIRL")
	       : str_is(name, "BE") ? STR("INTNEM")
				    : name;
}

static void mix_of_row(struct str header, struct str row, struct grid_fuel_mix *m)
{
	struct str name, value;
	double mw;

	*m = (struct grid_fuel_mix){ .mw = { 0 } };
	(void)str_split(&header, ',', &name);
	(void)str_split(&row, ',', &value);
	while (str_split(&header, ',', &name) && str_split(&row, ',', &value)) {
		bool known;

		(void)grid_fuel_of(fuel_of_column(name), &known);
		assert_true(known);
		if (str_to_double(value, &mw))
			assert_true(grid_mix_add(m, fuel_of_column(name), mw));
	}
}

/* T14: a year of GB's generation by fuel, times the published factors, is the published carbon series. */
static void recorded_mix_is_the_recorded_carbon(void **state)
{
	char lines[2][512], header_line[512];
	FILE *mixes = shared_open("data/lets-wait-awhile/gb_production.csv.xz"),
	     *carbon = shared_open("data/lets-wait-awhile/gb_ci.csv.xz");
	struct str header, row, value, time, at;
	int n = 0;

	(void)state;
	assert_true(next_line(mixes, header_line, &header) && next_line(carbon, lines[1], &value));
	while (next_line(mixes, lines[0], &row) && next_line(carbon, lines[1], &value)) {
		struct str cells = row;
		struct grid_fuel_mix m;
		double expected, sum = 0, supply;

		assert_true(str_split(&cells, ',', &time) && str_split(&value, ',', &at) && str_eq(time, at));
		if (!str_to_double(value, &expected))
			continue;
		mix_of_row(header, row, &m);
		m.mw[FUEL_PUMPED] = 0; /* was generated once already */
		supply = grid_mix_supply_mw(&m);
		for (int f = 0; f < GRID_FUELS; f++)
			sum += published_factors[f] * m.mw[f];
		if (fabs(sum / supply - expected) > 1e-6)
			fail_msg("%.*s: %f, recorded %f", (int)time.len, time.ptr, sum / supply, expected);
		n++;
	}
	(void)pclose(mixes);
	(void)pclose(carbon);
	assert_int_equal(n, 21980);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(factors),
		cmocka_unit_test(limits),
		cmocka_unit_test(random_mixes),
		cmocka_unit_test(recorded_mix_is_the_recorded_carbon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
