-- SPDX-License-Identifier: Apache-2.0
-- What people and dashboards ask for. "Now" is the newest call of a provider: the database knows no other clock.

-- The value of each zone's running slot; of several sources the most trusted kind, then the newest issue.
CREATE VIEW current_carbon AS
SELECT * FROM (
	SELECT c.*, ROW_NUMBER() OVER (
		PARTITION BY c.zone_id ORDER BY c.kind, c.issued_ms DESC, c.source_id) AS place
	FROM carbon_intensity c, (SELECT max(called_ms) AS now_ms FROM provider_call) clock
	WHERE c.start_ms > clock.now_ms - 86400000 AND c.start_ms <= clock.now_ms
		AND c.start_ms + c.duration_ms > clock.now_ms
) ranked WHERE place = 1;

CREATE VIEW current_price AS
SELECT * FROM (
	SELECT p.*, ROW_NUMBER() OVER (
		PARTITION BY p.zone_id ORDER BY CASE p.market WHEN 'tariff' THEN 0 WHEN 'wholesale' THEN 1 ELSE 2 END,
			p.kind, p.issued_ms DESC, p.source_id) AS place
	FROM price p, (SELECT max(called_ms) AS now_ms FROM provider_call) clock
	WHERE p.market IN ('tariff', 'wholesale') AND p.start_ms > clock.now_ms - 86400000
		AND p.start_ms <= clock.now_ms AND p.start_ms + p.duration_ms > clock.now_ms
) ranked WHERE place = 1;

CREATE VIEW current_stress AS
SELECT * FROM (
	SELECT g.*, ROW_NUMBER() OVER (
		PARTITION BY g.zone_id ORDER BY g.kind, g.issued_ms DESC, g.source_id) AS place
	FROM grid_stress g, (SELECT max(called_ms) AS now_ms FROM provider_call) clock
	WHERE g.start_ms > clock.now_ms - 86400000 AND g.start_ms <= clock.now_ms
		AND g.start_ms + g.duration_ms > clock.now_ms
) ranked WHERE place = 1;

-- One row for each zone about which anything is known now.
CREATE VIEW current_grid_status AS
SELECT z.name AS zone, (SELECT max(called_ms) FROM provider_call) AS now_ms,
	c.carbon_mg_per_kwh, c.kind AS carbon_kind, c.issued_ms AS carbon_issued_ms, c.fetched_ms AS carbon_fetched_ms,
	s.provider AS carbon_provider, s.accounting, s.scope, s.boundary, s.resolution,
	p.price_micros_per_kwh, p.currency, p.market AS price_market, p.kind AS price_kind,
	p.issued_ms AS price_issued_ms, p.fetched_ms AS price_fetched_ms, ps.provider AS price_provider,
	ps.product AS price_product, g.stress_permille
FROM zone z
LEFT JOIN current_carbon c ON c.zone_id = z.id
LEFT JOIN source s ON s.id = c.source_id
LEFT JOIN current_price p ON p.zone_id = z.id
LEFT JOIN source ps ON ps.id = p.source_id
LEFT JOIN current_stress g ON g.zone_id = z.id
WHERE c.zone_id IS NOT NULL OR p.zone_id IS NOT NULL OR g.zone_id IS NOT NULL;

-- What each region offers to jobs: its ready nodes, its carbon now, and the best half hour of the next 24 hours within
-- the same source as now.
CREATE VIEW regional_compute_opportunities AS
SELECT a.region, a.nodes, a.cpu_millicores, a.memory_bytes, a.gpus, a.on_demand_nodes,
	s.now_ms, s.carbon_mg_per_kwh, s.price_micros_per_kwh, s.currency,
	b.carbon_mg_per_kwh AS best_carbon_mg_per_kwh, b.start_ms AS best_start_ms
FROM (
	SELECT region, count(*) AS nodes, CAST(sum(cpu_millicores) AS INTEGER) AS cpu_millicores,
		CAST(sum(memory_bytes) AS INTEGER) AS memory_bytes, CAST(sum(gpus) AS INTEGER) AS gpus,
		CAST(sum(on_demand) AS INTEGER) AS on_demand_nodes
	FROM compute_asset WHERE ready = 1 AND region <> '' GROUP BY region
) a
LEFT JOIN current_grid_status s ON s.zone = a.region
LEFT JOIN (
	SELECT f.zone_id, z.name AS zone, f.start_ms, f.carbon_mg_per_kwh, ROW_NUMBER() OVER (
		PARTITION BY f.zone_id ORDER BY f.carbon_mg_per_kwh, f.start_ms) AS place
	FROM carbon_intensity f
	JOIN current_carbon c ON c.zone_id = f.zone_id AND c.source_id = f.source_id
	JOIN zone z ON z.id = f.zone_id
	WHERE f.start_ms >= c.start_ms AND f.start_ms < c.start_ms + 86400000
) b ON b.zone = a.region AND b.place = 1;

-- Deferrable jobs that wait or run while their region is above one of their caps.
CREATE VIEW workload_optimisation_opportunities AS
SELECT w.uid, w.cluster, w.namespace, w.name, w.state, w.home_region, w.latest_start_ms, s.now_ms,
	w.power_milliwatts, w.expected_duration_ms,
	w.max_carbon_mg_per_kwh, s.carbon_mg_per_kwh, w.max_price_micros_per_kwh, s.price_micros_per_kwh, s.currency
FROM workload w
JOIN current_grid_status s ON s.zone = w.home_region
WHERE w.finished_ms IS NULL AND w.latest_start_ms IS NOT NULL AND w.latest_start_ms >= s.now_ms
	AND (s.carbon_mg_per_kwh > w.max_carbon_mg_per_kwh
		OR (s.price_micros_per_kwh > w.max_price_micros_per_kwh AND s.currency = w.currency));

-- The newest slot that is over or running, for each zone, metric and source: what was last known, and from when. The
-- bounds stand in each part, where they find an index.
CREATE VIEW latest_grid_conditions AS
SELECT z.name AS zone, m.metric, m.value, m.start_ms, m.duration_ms, m.kind, m.issued_ms, m.fetched_ms, m.quality,
	s.provider, s.product, s.accounting, s.scope, s.boundary, s.resolution
FROM (
	SELECT u.*, ROW_NUMBER() OVER (PARTITION BY zone_id, source_id, metric ORDER BY start_ms DESC) AS place
	FROM (
		SELECT zone_id, source_id, 'carbon' AS metric, carbon_mg_per_kwh AS value, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM carbon_intensity
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, market, price_micros_per_kwh, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM price
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, 'demand', demand_kw, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM demand
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, 'stress', stress_permille, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM grid_stress
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, fuel, share_permille, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM generation_mix
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, metric, value, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM signal
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
	) u
) m
JOIN zone z ON z.id = m.zone_id
JOIN source s ON s.id = m.source_id
WHERE m.place = 1;
