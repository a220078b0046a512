/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuels: one set of names for what Elexon, NESO, ENTSO-E, energy-charts and EIA each call their own, what each emits,
 * and what a mix of them amounts to. A fuel that nobody has heard of never fails: it counts as FUEL_OTHER does. Pure;
 * any thread.
 *
 * Factors are direct (combustion) emissions at the plant in g CO2 per kWh of electricity, so a figure computed from
 * them has the basis average | direct | consumption: imports count with a factor of the sending country, exports leave
 * with the mean of what is on the system. Sources:
 *
 *  - gas (combined cycle 394, open cycle 651), coal 937, oil 935, biomass 120, other 300, nuclear, hydro, wind,
 *    solar and pumped storage 0, imports from France 53, the Netherlands 474 and Ireland 458: the GB Carbon
 *    Intensity methodology (NESO, University of Oxford), as its API's /intensity/factors gives them;
 *  - lignite 1010: 101.0 kg CO2/GJ (IPCC 2006 guidelines, volume 2, table 2.2) x 3.6 / 0.36 efficiency; peat and oil
 *    shale (106 and 107 kg/GJ) count as lignite; gas made from coal counts as coal, waste as other;
 *  - geothermal and marine 0: nothing is burned;
 *  - imports from Belgium 150, Denmark 100 and Norway 20: the methodology publishes none; round figures of ours, of the
 *    order that yearly statistics of generation (EEA, Ember) give;
 *  - imports of unknown origin: 300, as other.
 */
#ifndef GRID_FUEL_H
#define GRID_FUEL_H

#include "grid/answer.h"

enum grid_fuel {
	FUEL_GAS, /* combined cycle, and gas of unknown kind */
	FUEL_GAS_OPEN_CYCLE,
	FUEL_COAL,
	FUEL_LIGNITE,
	FUEL_OIL,
	FUEL_NUCLEAR,
	FUEL_WIND,
	FUEL_SOLAR,
	FUEL_HYDRO,
	FUEL_PUMPED,  /* pumped storage: negative = pumping */
	FUEL_STORAGE, /* batteries: negative = charging */
	FUEL_BIOMASS,
	FUEL_GEOTHERMAL,
	FUEL_MARINE,
	FUEL_OTHER,
	FUEL_IMPORTS, /* negative = exports, for all that follow too */
	FUEL_IMPORTS_FR,
	FUEL_IMPORTS_NL,
	FUEL_IMPORTS_IE,
	FUEL_IMPORTS_BE,
	FUEL_IMPORTS_NO,
	FUEL_IMPORTS_DK,
	GRID_FUELS
};

/*
 * What a provider's name stands for, upper or lower case: Elexon's codes ("CCGT", "NPSHYD", "INTFR", and any other
 * "INT..." as imports), the Carbon Intensity API's and NESO's words, ENTSO-E's codes ("B04") and words, EIA's codes
 * ("NG", "WAT"). FUEL_OTHER with *ret_known false for all else. ret_known may be NULL.
 */
enum grid_fuel grid_fuel_of(struct str name, bool *ret_known);
/* "gas", "imports-fr", ...: as in moments and in status. */
const char *grid_fuel_name(enum grid_fuel f);
/* Direct emissions in mg CO2 per kWh. */
int32_t grid_fuel_factor_mg(enum grid_fuel f);
/* Wind, solar, hydro, biomass, geothermal, marine (as NESO counts; pumped storage and imports are not). */
bool grid_fuel_is_renewable(enum grid_fuel f);
/* The same and nuclear. */
bool grid_fuel_is_low_carbon(enum grid_fuel f);

/* Generation by fuel at one time, in MW; of one area. */
struct grid_fuel_mix {
	double mw[GRID_FUELS];
	bool known[GRID_FUELS];
};

/* More than a country has. */
#define GRID_MIX_MAX_MW 1000000.0

/* Adds to the fuel of that name. False (nothing added) when the figure is beyond GRID_MIX_MAX_MW or no number. */
bool grid_mix_add(struct grid_fuel_mix *m, struct str fuel, double mw);
/*
 * Is this a whole mix? At least three fuels generate: an excerpt of one or two is none, and neither is a report in
 * which most fuels read zero, or gas and nuclear are both named and both zero (providers.md 3: so for days, and what is
 * left would look all green): whoever has both runs one of them.
 */
bool grid_mix_is_whole(const struct grid_fuel_mix *m);
/* What feeds the system: the sum of what is positive. */
double grid_mix_supply_mw(const struct grid_fuel_mix *m);
/* Means over the supply; only for mixes that are whole. */
int32_t grid_mix_carbon_mg(const struct grid_fuel_mix *m);
int32_t grid_mix_renewable_permille(const struct grid_fuel_mix *m);
int32_t grid_mix_low_carbon_permille(const struct grid_fuel_mix *m);
/* Writes it as a moment: MW of each fuel that is known, and its share of the supply (0 for what is negative). */
void grid_mix_to_moment(const struct grid_fuel_mix *m, struct grid_moment *ret);

#endif
