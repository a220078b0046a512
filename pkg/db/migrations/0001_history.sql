-- SPDX-License-Identifier: Apache-2.0
-- What the grid was, was said to become, and what was decided upon it.
--
-- Times are UTC milliseconds since 1970 in the domain clock, integers have their unit in the name, shares are per mille.
-- Every sample row carries start_ms and duration_ms, its value, and
--   kind        0 actual, 1 estimated, 2 forecast: in order of trust
--   issued_ms   when its provider made it; fetched_ms: when it was read
--   source_id   who says so and what the figure means (table source)
--   quality     flags, 0 = nothing to say: 1 interpolated, 2 outside the usual range, 4 revised
-- The key is zone, source and start: a row is written again as often as wanted, see db/table.h for which one stays.

-- A place that a series is about. Regions are the 14 areas of Great Britain's distribution networks.
CREATE TABLE zone (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,      -- as GridRegions are named
	display_name TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('region', 'aggregate', 'grid')),
	parent TEXT,                    -- the zone of the whole grid
	time_zone TEXT NOT NULL
) STRICT;

-- How others name the 14 regions.
CREATE TABLE region (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	carbon_intensity_id INTEGER NOT NULL UNIQUE,   -- of the GB Carbon Intensity API
	network_operator TEXT NOT NULL,
	licence_area TEXT NOT NULL,
	distributor_id INTEGER NOT NULL UNIQUE,        -- the first two digits of an MPAN core
	gsp_group TEXT NOT NULL UNIQUE,                -- grid supply point group, as tariffs and settlement use it
	PRIMARY KEY (zone_id)
) STRICT, WITHOUT ROWID;

-- Who says so and what it means. Empty = not known, or does not apply.
CREATE TABLE source (
	id INTEGER PRIMARY KEY,
	provider TEXT NOT NULL,
	product TEXT NOT NULL,          -- which of the provider's series, a tariff's code for example
	accounting TEXT NOT NULL CHECK (accounting IN ('', 'average', 'marginal')),
	scope TEXT NOT NULL CHECK (scope IN ('', 'direct', 'lifecycle')),
	boundary TEXT NOT NULL CHECK (boundary IN ('', 'production', 'consumption')),
	resolution TEXT NOT NULL CHECK (resolution IN ('', 'national', 'regional', 'zone')),
	UNIQUE (provider, product, accounting, scope, boundary, resolution)
) STRICT;

CREATE TABLE carbon_intensity (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	carbon_mg_per_kwh INTEGER NOT NULL,
	PRIMARY KEY (zone_id, source_id, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX carbon_intensity_start ON carbon_intensity (start_ms);

CREATE TABLE generation_mix (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	fuel TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	share_permille INTEGER NOT NULL,
	PRIMARY KEY (zone_id, source_id, fuel, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX generation_mix_start ON generation_mix (start_ms);

-- Forecast and actual of the grid; of a region, an estimate.
CREATE TABLE demand (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	demand_kw INTEGER NOT NULL,
	PRIMARY KEY (zone_id, source_id, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX demand_start ON demand (start_ms);

CREATE TABLE price (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	market TEXT NOT NULL CHECK (market IN ('wholesale', 'system', 'tariff', 'flexibility')),
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	price_micros_per_kwh INTEGER NOT NULL,         -- millionths of the currency
	currency TEXT NOT NULL,
	PRIMARY KEY (zone_id, source_id, market, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX price_start ON price (start_ms);

CREATE TABLE grid_stress (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	stress_permille INTEGER NOT NULL,
	PRIMARY KEY (zone_id, source_id, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX grid_stress_start ON grid_stress (start_ms);

-- NULL = not told.
CREATE TABLE weather (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	temperature_millicelsius INTEGER,
	wind_speed_mm_per_s INTEGER,
	solar_irradiance_mw_per_m2 INTEGER,            -- milliwatts
	PRIMARY KEY (zone_id, source_id, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX weather_start ON weather (start_ms);

-- What has no table of its own: shares, wind and solar power, margin, loss of load, frequency, response prices.
CREATE TABLE signal (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	metric TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL CHECK (duration_ms > 0),
	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	quality INTEGER NOT NULL,
	value INTEGER NOT NULL,
	PRIMARY KEY (zone_id, source_id, metric, start_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_start ON signal (start_ms);

-- Every forecast as it was issued: n_values slots of step_ms from start_ms, packed (db/pack.h).
CREATE TABLE forecast_vintage (
	zone_id INTEGER NOT NULL REFERENCES zone (id),
	source_id INTEGER NOT NULL REFERENCES source (id),
	metric TEXT NOT NULL,                          -- carbon, price, renewable, ... in the unit of the metric
	quantile_permille INTEGER NOT NULL CHECK (quantile_permille BETWEEN 0 AND 1000),
	issued_ms INTEGER NOT NULL,
	fetched_ms INTEGER NOT NULL,
	start_ms INTEGER NOT NULL,
	step_ms INTEGER NOT NULL CHECK (step_ms > 0),
	n_values INTEGER NOT NULL,
	n_known INTEGER NOT NULL,
	packed BLOB NOT NULL,
	PRIMARY KEY (zone_id, source_id, metric, quantile_permille, issued_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX forecast_vintage_issued ON forecast_vintage (issued_ms);

-- What can run jobs, from the cluster's nodes.
CREATE TABLE compute_asset (
	cluster TEXT NOT NULL,                         -- '' = the local one
	node TEXT NOT NULL,
	region TEXT NOT NULL,                          -- name of a zone, '' = none
	cpu_millicores INTEGER NOT NULL,               -- allocatable, like the next two
	memory_bytes INTEGER NOT NULL,
	gpus INTEGER NOT NULL,
	idle_milliwatts INTEGER,
	peak_milliwatts INTEGER,
	on_demand INTEGER NOT NULL CHECK (on_demand IN (0, 1)),
	ready INTEGER NOT NULL CHECK (ready IN (0, 1)),
	first_seen_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (cluster, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX compute_asset_updated ON compute_asset (updated_ms);

CREATE TABLE workload (
	uid TEXT NOT NULL,
	cluster TEXT NOT NULL,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	template_hash TEXT NOT NULL,                   -- equal ones are runs of the same job
	home_region TEXT NOT NULL,
	state TEXT NOT NULL,                           -- as in the State column
	urgency TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	earliest_start_ms INTEGER,
	latest_start_ms INTEGER,                       -- NULL = not deferrable
	deadline_ms INTEGER,
	expected_duration_ms INTEGER,
	power_milliwatts INTEGER,
	max_carbon_mg_per_kwh INTEGER,
	max_price_micros_per_kwh INTEGER,
	started_ms INTEGER,
	finished_ms INTEGER,
	energy_milliwatt_hours INTEGER,                -- this and the next two: measured or accounted, when it is over
	carbon_mg INTEGER,
	cost_micros INTEGER,
	currency TEXT NOT NULL,
	PRIMARY KEY (uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX workload_template ON workload (namespace, template_hash, finished_ms);
CREATE INDEX workload_updated ON workload (updated_ms);

-- What each planning round decided for a job, where that changed.
CREATE TABLE schedule (
	workload_uid TEXT NOT NULL,
	decided_ms INTEGER NOT NULL,
	plan_id TEXT NOT NULL,
	reason TEXT NOT NULL,
	region TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	end_ms INTEGER NOT NULL,
	energy_milliwatt_hours INTEGER,                -- expected; NULL = not available
	carbon_mg INTEGER,
	cost_micros INTEGER,
	baseline_region TEXT NOT NULL,
	baseline_start_ms INTEGER NOT NULL,
	baseline_carbon_mg INTEGER,
	baseline_cost_micros INTEGER,
	currency TEXT NOT NULL,
	data_issued_ms INTEGER,                        -- of the forecast it was decided upon
	explanation TEXT NOT NULL,
	PRIMARY KEY (workload_uid, decided_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_decided ON schedule (decided_ms);

-- One row for each request to a provider. The newest is also what the views take for now.
CREATE TABLE provider_call (
	called_ms INTEGER NOT NULL,
	provider TEXT NOT NULL,
	request TEXT NOT NULL,                         -- what was asked for: national forecast, mix, rates, ...
	zone TEXT NOT NULL,
	duration_ms INTEGER NOT NULL,
	http_status INTEGER NOT NULL,                  -- 0 = no answer
	outcome TEXT NOT NULL,                         -- merged, older, nothing, or the name of the error
	n_bytes INTEGER NOT NULL,
	error TEXT NOT NULL,
	PRIMARY KEY (called_ms, provider, request, zone)
) STRICT, WITHOUT ROWID;

-- Where the rows of a day went that are no longer here (db/retention.h).
CREATE TABLE archive_file (
	table_name TEXT NOT NULL,
	day_ms INTEGER NOT NULL,
	part INTEGER NOT NULL,
	name TEXT NOT NULL,
	n_rows INTEGER NOT NULL,
	archived_ms INTEGER NOT NULL,
	PRIMARY KEY (table_name, day_ms, part)
) STRICT, WITHOUT ROWID;

INSERT INTO zone (name, display_name, kind, parent, time_zone) VALUES
	('gb', 'Great Britain', 'grid', NULL, 'Europe/London'),
	('england', 'England', 'aggregate', 'gb', 'Europe/London'),
	('scotland', 'Scotland', 'aggregate', 'gb', 'Europe/London'),
	('wales', 'Wales', 'aggregate', 'gb', 'Europe/London'),
	('north-scotland', 'North Scotland', 'region', 'gb', 'Europe/London'),
	('south-scotland', 'South Scotland', 'region', 'gb', 'Europe/London'),
	('north-west-england', 'North West England', 'region', 'gb', 'Europe/London'),
	('north-east-england', 'North East England', 'region', 'gb', 'Europe/London'),
	('yorkshire', 'Yorkshire', 'region', 'gb', 'Europe/London'),
	('north-wales-and-merseyside', 'North Wales and Merseyside', 'region', 'gb', 'Europe/London'),
	('south-wales', 'South Wales', 'region', 'gb', 'Europe/London'),
	('west-midlands', 'West Midlands', 'region', 'gb', 'Europe/London'),
	('east-midlands', 'East Midlands', 'region', 'gb', 'Europe/London'),
	('east-england', 'East England', 'region', 'gb', 'Europe/London'),
	('south-west-england', 'South West England', 'region', 'gb', 'Europe/London'),
	('south-england', 'South England', 'region', 'gb', 'Europe/London'),
	('london', 'London', 'region', 'gb', 'Europe/London'),
	('south-east-england', 'South East England', 'region', 'gb', 'Europe/London');

INSERT INTO region (zone_id, carbon_intensity_id, network_operator, licence_area, distributor_id, gsp_group) VALUES
	((SELECT id FROM zone WHERE name = 'north-scotland'), 1, 'SSEN', 'SHEPD', 17, 'P'),
	((SELECT id FROM zone WHERE name = 'south-scotland'), 2, 'SP Energy Networks', 'SPD', 18, 'N'),
	((SELECT id FROM zone WHERE name = 'north-west-england'), 3, 'SP Electricity North West', 'ENWL', 16, 'G'),
	((SELECT id FROM zone WHERE name = 'north-east-england'), 4, 'Northern Powergrid', 'NPgN', 15, 'F'),
	((SELECT id FROM zone WHERE name = 'yorkshire'), 5, 'Northern Powergrid', 'NPgY', 23, 'M'),
	((SELECT id FROM zone WHERE name = 'north-wales-and-merseyside'), 6, 'SP Energy Networks', 'SPM', 13, 'D'),
	((SELECT id FROM zone WHERE name = 'south-wales'), 7, 'National Grid Electricity Distribution', 'SWales', 21, 'K'),
	((SELECT id FROM zone WHERE name = 'west-midlands'), 8, 'National Grid Electricity Distribution', 'WMids', 14, 'E'),
	((SELECT id FROM zone WHERE name = 'east-midlands'), 9, 'National Grid Electricity Distribution', 'EMids', 11, 'B'),
	((SELECT id FROM zone WHERE name = 'east-england'), 10, 'UK Power Networks', 'EPN', 10, 'A'),
	((SELECT id FROM zone WHERE name = 'south-west-england'), 11, 'National Grid Electricity Distribution', 'SWest', 22, 'L'),
	((SELECT id FROM zone WHERE name = 'south-england'), 12, 'SSEN', 'SEPD', 20, 'H'),
	((SELECT id FROM zone WHERE name = 'london'), 13, 'UK Power Networks', 'LPN', 12, 'C'),
	((SELECT id FROM zone WHERE name = 'south-east-england'), 14, 'UK Power Networks', 'SPN', 19, 'J');
