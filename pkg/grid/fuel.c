/* SPDX-License-Identifier: Apache-2.0 */
/* The table of fuels, and sums over mixes. */
#include "grid/fuel.h"

#include <math.h>
#include <strings.h>

static const struct {
	const char *name;
	int16_t g_per_kwh;
	bool renewable, low_carbon;
} fuels[GRID_FUELS] = {
	[FUEL_GAS] = { "gas", 394, false, false },
	[FUEL_GAS_OPEN_CYCLE] = { "gas-open-cycle", 651, false, false },
	[FUEL_COAL] = { "coal", 937, false, false },
	[FUEL_LIGNITE] = { "lignite", 1010, false, false },
	[FUEL_OIL] = { "oil", 935, false, false },
	[FUEL_NUCLEAR] = { "nuclear", 0, false, true },
	[FUEL_WIND] = { "wind", 0, true, true },
	[FUEL_SOLAR] = { "solar", 0, true, true },
	[FUEL_HYDRO] = { "hydro", 0, true, true },
	[FUEL_PUMPED] = { "pumped", 0, false, false },
	[FUEL_STORAGE] = { "storage", 0, false, false },
	[FUEL_BIOMASS] = { "biomass", 120, true, true },
	[FUEL_GEOTHERMAL] = { "geothermal", 0, true, true },
	[FUEL_MARINE] = { "marine", 0, true, true },
	[FUEL_OTHER] = { "other", 300, false, false },
	[FUEL_IMPORTS] = { "imports", 300, false, false },
	[FUEL_IMPORTS_FR] = { "imports-fr", 53, false, false },
	[FUEL_IMPORTS_NL] = { "imports-nl", 474, false, false },
	[FUEL_IMPORTS_IE] = { "imports-ie", 458, false, false },
	[FUEL_IMPORTS_BE] = { "imports-be", 150, false, false },
	[FUEL_IMPORTS_NO] = { "imports-no", 20, false, false },
	[FUEL_IMPORTS_DK] = { "imports-dk", 100, false, false },
};
_Static_assert(GRID_FUELS <= GRID_MAX_FUELS, "a moment has room for all fuels");

/* Besides our own names. No name stands for two fuels in different vocabularies. */
static const struct {
	const char *name;
	enum grid_fuel fuel;
} names[] = {
	/* Elexon FUELINST and FUELHH; its interconnectors with the cable's other end */
	{ "CCGT", FUEL_GAS },
	{ "OCGT", FUEL_GAS_OPEN_CYCLE },
	{ "NPSHYD", FUEL_HYDRO },
	{ "PS", FUEL_PUMPED }, /* EIA too */
	{ "INTFR", FUEL_IMPORTS_FR },
	{ "INTIFA2", FUEL_IMPORTS_FR },
	{ "INTELEC", FUEL_IMPORTS_FR },
	{ "INTNED", FUEL_IMPORTS_NL },
	{ "INTNEM", FUEL_IMPORTS_BE },
	{ "INTNSL", FUEL_IMPORTS_NO },
	{ "INTVKL", FUEL_IMPORTS_DK },
	{ "INTIRL", FUEL_IMPORTS_IE },
	{ "INTEW", FUEL_IMPORTS_IE },
	{ "INTGRNL", FUEL_IMPORTS_IE },
	/* NESO's historic mix */
	{ "WIND_EMB", FUEL_WIND },
	/* ENTSO-E's production types, by code and, as energy-charts has them, by name */
	{ "B01", FUEL_BIOMASS },
	{ "B02", FUEL_LIGNITE },
	{ "B03", FUEL_COAL },
	{ "B04", FUEL_GAS },
	{ "B05", FUEL_COAL },
	{ "B06", FUEL_OIL },
	{ "B07", FUEL_LIGNITE },
	{ "B08", FUEL_LIGNITE },
	{ "B09", FUEL_GEOTHERMAL },
	{ "B10", FUEL_PUMPED },
	{ "B11", FUEL_HYDRO },
	{ "B12", FUEL_HYDRO },
	{ "B13", FUEL_MARINE },
	{ "B14", FUEL_NUCLEAR },
	{ "B15", FUEL_BIOMASS },
	{ "B16", FUEL_SOLAR },
	{ "B17", FUEL_OTHER },
	{ "B18", FUEL_WIND },
	{ "B19", FUEL_WIND },
	{ "B20", FUEL_OTHER },
	{ "B25", FUEL_STORAGE },
	{ "Fossil brown coal / lignite", FUEL_LIGNITE },
	{ "Fossil brown coal/lignite", FUEL_LIGNITE },
	{ "Fossil coal-derived gas", FUEL_COAL },
	{ "Fossil gas", FUEL_GAS },
	{ "Fossil hard coal", FUEL_COAL },
	{ "Fossil oil", FUEL_OIL },
	{ "Fossil oil shale", FUEL_LIGNITE },
	{ "Fossil peat", FUEL_LIGNITE },
	{ "Hydro pumped storage", FUEL_PUMPED },
	{ "Hydro pumped storage consumption", FUEL_PUMPED },
	{ "Hydro Run-of-River", FUEL_HYDRO },
	{ "Hydro Run-of-River and poundage", FUEL_HYDRO },
	{ "Hydro water reservoir", FUEL_HYDRO },
	{ "Other renewable", FUEL_BIOMASS },
	{ "Others", FUEL_OTHER },
	{ "Waste", FUEL_OTHER },
	{ "Wind offshore", FUEL_WIND },
	{ "Wind onshore", FUEL_WIND },
	{ "Energy storage", FUEL_STORAGE },
	{ "Cross border electricity trading", FUEL_IMPORTS },
	/* EIA */
	{ "COL", FUEL_COAL },
	{ "NG", FUEL_GAS },
	{ "NUC", FUEL_NUCLEAR },
	{ "SUN", FUEL_SOLAR },
	{ "WAT", FUEL_HYDRO },
	{ "WND", FUEL_WIND },
	{ "GEO", FUEL_GEOTHERMAL },
	{ "OTH", FUEL_OTHER },
	{ "BAT", FUEL_STORAGE },
	{ "UES", FUEL_STORAGE },
	{ "OES", FUEL_STORAGE },
	{ "SNB", FUEL_SOLAR },
	{ "WNB", FUEL_WIND },
};

static bool is_name(struct str s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

enum grid_fuel grid_fuel_of(struct str name, bool *ret_known)
{
	bool ignored, *known = ret_known ? ret_known : &ignored;

	*known = true;
	for (int i = 0; i < GRID_FUELS; i++)
		if (is_name(name, fuels[i].name))
			return (enum grid_fuel)i;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_name(name, names[i].name))
			return names[i].fuel;
	*known = false;
	/* A cable laid after this was written. */
	return str_has_prefix(name, STR("INT")) ? FUEL_IMPORTS : FUEL_OTHER;
}

const char *grid_fuel_name(enum grid_fuel f)
{
	return fuels[f].name;
}

int32_t grid_fuel_factor_mg(enum grid_fuel f)
{
	return fuels[f].g_per_kwh * 1000;
}

bool grid_fuel_is_renewable(enum grid_fuel f)
{
	return fuels[f].renewable;
}

bool grid_fuel_is_low_carbon(enum grid_fuel f)
{
	return fuels[f].low_carbon;
}

bool grid_mix_add(struct grid_fuel_mix *m, struct str fuel, double mw)
{
	enum grid_fuel f = grid_fuel_of(fuel, NULL);

	/* Written so that NaN fails too. */
	if (!(fabs(mw) <= GRID_MIX_MAX_MW))
		return false;
	m->mw[f] += mw;
	m->known[f] = true;
	return true;
}

double grid_mix_supply_mw(const struct grid_fuel_mix *m)
{
	double sum = 0;

	for (int f = 0; f < GRID_FUELS; f++)
		sum += fmax(m->mw[f], 0);
	return sum;
}

bool grid_mix_is_whole(const struct grid_fuel_mix *m)
{
	bool dead = m->known[FUEL_GAS] && m->known[FUEL_NUCLEAR] && m->mw[FUEL_GAS] == 0 && m->mw[FUEL_NUCLEAR] == 0;
	int generating = 0;

	for (int f = 0; f < GRID_FUELS; f++)
		generating += m->mw[f] > 0;
	return generating >= 3 && !dead;
}

/* Mean over the supply of what each fuel weighs. */
static int32_t mean(const struct grid_fuel_mix *m, int32_t (*weight)(enum grid_fuel f))
{
	double sum = 0;

	for (int f = 0; f < GRID_FUELS; f++)
		sum += fmax(m->mw[f], 0) * weight((enum grid_fuel)f);
	return (int32_t)lround(sum / grid_mix_supply_mw(m));
}

static int32_t renewable_weight(enum grid_fuel f)
{
	return fuels[f].renewable ? 1000 : 0;
}

static int32_t low_carbon_weight(enum grid_fuel f)
{
	return fuels[f].low_carbon ? 1000 : 0;
}

int32_t grid_mix_carbon_mg(const struct grid_fuel_mix *m)
{
	return mean(m, grid_fuel_factor_mg);
}

int32_t grid_mix_renewable_permille(const struct grid_fuel_mix *m)
{
	return mean(m, renewable_weight);
}

int32_t grid_mix_low_carbon_permille(const struct grid_fuel_mix *m)
{
	return mean(m, low_carbon_weight);
}

void grid_mix_to_moment(const struct grid_fuel_mix *m, struct grid_moment *ret)
{
	double supply = grid_mix_supply_mw(m);

	for (int f = 0; f < GRID_FUELS; f++) {
		if (!m->known[f])
			continue;
		(void)str_copy(ret->mix[ret->n_mix].fuel, sizeof(ret->mix[0].fuel), str_from(fuels[f].name));
		ret->mix[ret->n_mix].mw = (int32_t)lround(m->mw[f]);
		ret->mix[ret->n_mix].permille = supply > 0 ? (int32_t)lround(fmax(m->mw[f], 0) / supply * 1000) : 0;
		ret->n_mix++;
	}
}
