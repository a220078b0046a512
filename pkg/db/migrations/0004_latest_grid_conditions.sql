-- SPDX-License-Identifier: Apache-2.0
-- The newest slot that is over or running, for each zone, metric and source: what was last known, and from when. With
-- units, the weather, and shares of the mix under names of their own: `wind` and `solar` are powers too. The bounds
-- stand in each part, where they find an index.
DROP VIEW latest_grid_conditions;

CREATE VIEW latest_grid_conditions AS
SELECT z.name AS zone, m.metric, m.value, m.unit, m.start_ms, m.duration_ms, m.kind, m.issued_ms, m.fetched_ms, m.quality,
	s.provider, s.product, s.accounting, s.scope, s.boundary, s.resolution
FROM (
	SELECT u.*, ROW_NUMBER() OVER (PARTITION BY zone_id, source_id, metric ORDER BY start_ms DESC) AS place
	FROM (
		SELECT zone_id, source_id, 'carbon' AS metric, carbon_mg_per_kwh AS value, 'mg/kWh' AS unit,
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM carbon_intensity
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, market, price_micros_per_kwh, 'micros/kWh',
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM price
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, 'demand', demand_kw, 'kW',
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM demand
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, 'stress', stress_permille, 'permille',
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM grid_stress
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, 'mix-' || fuel, share_permille, 'permille',
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM generation_mix
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, w.metric,
			CASE w.metric WHEN 'temperature' THEN temperature_millicelsius
				WHEN 'wind-speed' THEN wind_speed_mm_per_s ELSE solar_irradiance_mw_per_m2 END,
			w.unit, start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM weather, (
			SELECT 'temperature' AS metric, 'millidegrees' AS unit
			UNION ALL SELECT 'wind-speed', 'mm/s'
			UNION ALL SELECT 'irradiance', 'mW/m2'
		) w
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
		UNION ALL
		SELECT zone_id, source_id, metric, value,
			CASE metric WHEN 'renewable' THEN 'permille' WHEN 'low-carbon' THEN 'permille'
				WHEN 'response-price' THEN 'micros/kW/h' WHEN 'loss-of-load' THEN 'millionths'
				WHEN 'frequency' THEN 'mHz' ELSE 'MW' END,
			start_ms, duration_ms, kind, issued_ms, fetched_ms, quality
		FROM signal
		WHERE start_ms > (SELECT max(called_ms) - 604800000 FROM provider_call)
			AND start_ms <= (SELECT max(called_ms) FROM provider_call)
	) u
	WHERE u.value IS NOT NULL
) m
JOIN zone z ON z.id = m.zone_id
JOIN source s ON s.id = m.source_id
WHERE m.place = 1;
