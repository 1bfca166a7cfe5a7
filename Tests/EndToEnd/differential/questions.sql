-- One question a line; names, types and values must be PostgreSQL's. Rows in any order where there is no ORDER BY.
SELECT 1, 1.5, 'a', true, NULL, 1::smallint, 3000000000, 99999999999999999999, 1e3, .5
SELECT 1 AS a, 2 b, 3 AS "C", 4 "d e"
SELECT sum(n), avg(n), avg(v), min(time), max(note), count(*) FROM readings
SELECT sum(rank), avg(rank), avg(weight), sum(weight) FROM devices
SELECT 7/2, -7/2, 7%3, -7%3, 7.0/2, 1/3.0, 10/3::numeric, 2^10, 2^0.5, 5!=4, |/ 25.0, @ -5
SELECT 1.10 + 1.1, 1.10 * 1.1, 1.0 / 3, 1 / 3.00, 100.0 / 7, 0.1 + 0.2, 1e-5 * 1e-5, 12345678901234567890 * 98765432109876543210
SELECT round(2.5), round(-2.5), round(2.5::float8), round(3.5::float8), round(2.345, 2), trunc(-2.7), ceil(-2.7), floor(-2.7), trunc(2.789, 1)
SELECT sqrt(2), sqrt(2.0), exp(1.0), ln(2.0), log(100.0), log(2.0, 64.0), power(2, 3), power(2.0, 3), power(2, 0.5), cbrt(27)
SELECT 'NaN'::float8, 'Infinity'::float8, '-inf'::float8, 'NaN'::numeric, 1e15::float8, 1e16::float8, 1.5e-7::float8, 123456789.123::real, 0.1::real::float8
SELECT 'NaN'::float8 = 'NaN'::float8, 'NaN'::float8 > 'Infinity'::float8, greatest(1, NULL, 3), least(NULL, NULL), nullif(1, 1), coalesce(NULL, 'b')
SELECT NULL = NULL, NULL IS NULL, NULL IS DISTINCT FROM 1, 1 IN (1, NULL), 2 IN (1, NULL), 2 NOT IN (1, NULL), NULL AND false, NULL OR true
SELECT 'abc' < 'abd', 'B' < 'a', 'a' || NULL, 'a' || 1, 1 || 'a', 'x' || true, concat('a', NULL, 1, true), concat_ws(',', 'a', NULL, 'b')
SELECT length('zürich'), octet_length('zürich'), char_length('日本'), bit_length('a'), upper('zürich'), lower('ÄÖ'), initcap('hello wOrld-x y_z')
SELECT substring('hello' from 2 for 3), substring('hello' for 2), substring('hello' from 2), substr('hello', -1, 3), left('hello', -2), right('hello', -2), overlay('hello' placing 'XX' from 2 for 3)
SELECT position('l' in 'hello'), strpos('hello', 'z'), split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), replace('hello', 'l', 'L'), translate('hello', 'el', 'ip'), reverse('héllo'), repeat('ab', 3)
SELECT lpad('hi', 5), lpad('hi', 5, 'xy'), rpad('hi', 5, 'xy'), lpad('hello', 2), trim('  a  '), trim(both 'x' from 'xxaxx'), ltrim('xya', 'yx'), rtrim('axy', 'yx'), btrim('xax', 'x')
SELECT ascii('a'), ascii('é'), chr(233), md5('abc'), to_hex(255), encode('abc'::bytea, 'hex'), encode('abc'::bytea, 'base64'), quote_ident('a b'), quote_literal('it''s'), quote_nullable(NULL)
SELECT format('%s %I %L %%', 'a', 'b c', 'd''e'), format('%2$s %1$s', 'a', 'b'), format('%5s|%-5s|', 'a', 'b'), starts_with('hello', 'he')
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'a%c' LIKE 'a\%c', 'abc' ILIKE 'A%', 'abc' NOT LIKE 'b%', 'a_c' LIKE 'a!_c' ESCAPE '!', 'abc' SIMILAR TO '(a|b)%'
SELECT 'abc' ~ 'b', 'abc' ~ '^b', 'ABC' ~* 'b', 'abc' !~ 'z', regexp_replace('abcabc', 'b', 'X'), regexp_replace('abcabc', 'b', 'X', 'g'), regexp_replace('abc', '(a)(b)', '\2\1'), substring('abc123' from '[0-9]+'), substring('abc123' from '([a-z]+)[0-9]')
SELECT regexp_match('abc123', '([a-z]+)([0-9]+)'), regexp_split_to_array('a,b;c', '[,;]'), string_to_array('a,b,,c', ','), string_to_array('a,b', NULL), array_to_string(ARRAY['a', NULL, 'b'], ','), array_to_string(ARRAY['a', NULL], ',', '?')
SELECT * FROM regexp_split_to_table('a b  c', '\s+') AS t
SELECT regexp_matches('foobarbequebaz', 'ba.', 'g')
SELECT regexp_count('abcabc', 'b'), regexp_like('abc', 'B', 'i'), regexp_substr('abc123', '[0-9]'), regexp_instr('abc', 'c')
SELECT timestamptz '2024-03-31 01:30:00+00' + interval '1 day', timestamptz '2024-01-31' + interval '1 month', timestamptz '2024-03-31' - interval '1 month', date '2024-01-31' + 1, date '2024-03-01' - date '2024-02-01', time '10:00' + interval '15 hours'
SELECT timestamptz '2024-05-01' - timestamptz '2024-04-01 12:00', age(timestamptz '2024-05-01', timestamptz '2020-02-29'), age(timestamptz '2020-02-29', timestamptz '2024-05-01'), justify_days(interval '45 days'), justify_hours(interval '50 hours'), justify_interval(interval '1 month -1 day')
SELECT extract(year from timestamptz '2024-12-30'), extract(isoyear from timestamptz '2024-12-30'), extract(week from timestamptz '2024-12-30'), extract(epoch from timestamptz '2024-12-30 00:00:00.5'), extract(second from timestamptz '2024-12-30 00:00:01.25'), extract(dow from date '2024-12-29'), extract(isodow from date '2024-12-29'), date_part('month', date '2024-12-29')
SELECT extract(epoch from interval '1 month 2 days 3 hours'), extract(day from interval '40 days'), extract(hour from interval '50 hours'), extract(century from date '2001-01-01'), extract(julian from date '2024-01-01'), extract(microseconds from time '00:00:01.5'), extract(timezone from now())
SELECT date_trunc('week', timestamptz '2024-03-31 12:00'), date_trunc('month', date '2024-03-31'), date_trunc('day', timestamptz '2024-03-31 23:30+00', 'Europe/Berlin'), date_trunc('hour', interval '1 day 02:45'), date_bin('15 min', timestamptz '2024-03-31 12:34', timestamptz '2000-01-01')
SELECT timestamptz '2024-03-31 01:30:00+00' AT TIME ZONE 'Europe/Berlin', timestamp '2024-03-31 02:30:00' AT TIME ZONE 'Europe/Berlin', timestamp '2024-10-27 02:30:00' AT TIME ZONE 'Europe/Berlin', timestamptz '2024-01-01' AT TIME ZONE '+02', timestamptz '2024-01-01' AT TIME ZONE interval '3 hours', timezone('UTC', timestamp '2024-01-01')
SELECT interval '1 year 2 months 3 days 04:05:06.789', interval '-1 day 2 hours', interval '1.5 days', interval 'P1Y2M3DT4H5M6S', interval '90' minute, interval '1-2' year to month, interval '3 days' * 1.5, interval '1 month' / 2, -interval '1 day', interval '1 day' > interval '23 hours', interval '1 month' = interval '30 days'
SELECT make_date(2024, 2, 29), make_time(1, 2, 3.5), make_timestamp(2024, 1, 2, 3, 4, 5.5), make_timestamptz(2024, 1, 2, 3, 4, 5, 'Europe/Berlin'), make_interval(1, 2, 3, 4, 5, 6, 7.5), make_interval(days => 10, secs => 1.5), to_timestamp(1700000000.5), to_date('05 Dec 2000', 'DD Mon YYYY'), to_timestamp('2024-01-02 03:04', 'YYYY-MM-DD HH24:MI')
SELECT 'infinity'::timestamptz, '-infinity'::date, isfinite('infinity'::timestamptz), '0044-03-15 BC'::date, '2024-01-01'::date::timestamptz, '2024-01-01 12:00'::timestamp::date, '2024-01-01 12:34:56.789'::timestamptz::time, '2024-06-01 12:00 Europe/Berlin'::timestamptz, 'epoch'::timestamptz, '2024-01-01T00:00:00Z'::timestamptz
SELECT to_char(timestamptz '2024-03-05 07:08:09.012345', 'YYYY-MM-DD HH24:MI:SS.US Mon Month DAY Dy HH12 AM D DDD J Q WW IW IYYY CC TZ'), to_char(1234.5, '9,999.99'), to_char(-5, 'S99'), to_char(0.5, 'FM0.00'), to_char(12, '0000'), to_char(interval '1 day 2 hours', 'DD HH24:MI')
SELECT ARRAY[1, 2, 3], '{1,NULL,3}'::int[], (ARRAY['a', 'b'])[1], (ARRAY[1, 2, 3])[2:3], array_length(ARRAY[1, 2], 1), cardinality(ARRAY[1, 2]), ARRAY[1] || 2, ARRAY[1] || ARRAY[2], 1 = ANY(ARRAY[1, 2]), 1 <> ALL(ARRAY[1, 2]), ARRAY[1, 2] @> ARRAY[1], ARRAY[1] && ARRAY[2], ARRAY[1, 2] = ARRAY[1, 2]
SELECT array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2]), array_position(ARRAY['a', 'b'], 'b'), array_remove(ARRAY[1, 2, 1], 1), array_replace(ARRAY[1, 2], 2, 3), array_upper(ARRAY[1, 2], 1), unnest(ARRAY[1, 2])
SELECT unnest(ARRAY['a', 'b']) AS u, generate_series(1, 3)
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) WITH ORDINALITY AS t(a, b, c)
SELECT * FROM generate_series(timestamptz '2024-03-30', timestamptz '2024-04-02', interval '1 day') AS g
SELECT * FROM generate_series(1, 10, 3) WITH ORDINALITY
SELECT i, i * 2 AS twice FROM generate_series(1.0, 2.0, 0.5) AS i
SELECT device, room, count(*) FROM readings GROUP BY device, room ORDER BY 3 DESC, 1, 2
SELECT device AS d, sum(n) AS s FROM readings GROUP BY d HAVING sum(n) > 0 ORDER BY s DESC, d
SELECT date_trunc('day', time) AS day, device, avg(v), count(v) FROM readings GROUP BY 1, 2 ORDER BY 1, 2
SELECT device, room, sum(n), grouping(device, room) FROM readings GROUP BY GROUPING SETS ((device, room), (device), ()) ORDER BY 4, 1, 2
SELECT device, room, count(*) FROM readings GROUP BY ROLLUP (device, room) ORDER BY 1, 2
SELECT device, ok, count(*), grouping(device), grouping(ok) FROM readings GROUP BY CUBE (device, ok) ORDER BY 4, 5, 1, 2
SELECT device, ok, room, count(*) FROM readings GROUP BY device, ROLLUP (ok, room) ORDER BY 1, 2, 3, 4
SELECT count(*) FILTER (WHERE ok), count(*) FILTER (WHERE NOT ok), sum(n) FILTER (WHERE v > 0) FROM readings
SELECT string_agg(id, ',' ORDER BY id DESC), array_agg(rank ORDER BY id), array_agg(DISTINCT site ORDER BY site), bool_and(rank > 0), bool_or(rank > 4), every(true) FROM devices
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v), percentile_disc(0.5) WITHIN GROUP (ORDER BY n), percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY v), mode() WITHIN GROUP (ORDER BY device) FROM readings
SELECT stddev(v), stddev_pop(v), variance(v), var_pop(v), corr(v, n), covar_pop(v, n), covar_samp(v, n), regr_slope(v, n), regr_intercept(v, n), regr_r2(v, n), regr_count(v, n) FROM readings
SELECT stddev(n), stddev_pop(n), variance(n), var_samp(n), bit_and(n), bit_or(n) FROM readings
SELECT r.device, d.site, count(*) FROM readings r JOIN devices d ON d.id = r.device GROUP BY 1, 2 ORDER BY 1
SELECT r.device, d.site, count(*) FROM readings r LEFT JOIN devices d ON d.id = r.device GROUP BY 1, 2 ORDER BY 1
SELECT d.id, count(r.v) FROM readings r RIGHT JOIN devices d ON d.id = r.device GROUP BY 1 ORDER BY 1
SELECT DISTINCT r.device, d.id FROM readings r FULL JOIN devices d ON d.id = r.device ORDER BY 1, 2
SELECT a.id, b.id FROM devices a CROSS JOIN devices b WHERE a.rank < b.rank ORDER BY 1, 2
SELECT id, x.* FROM devices, LATERAL (SELECT time, v FROM readings WHERE device = devices.id ORDER BY time DESC, room LIMIT 1) x ORDER BY id
SELECT d.id, x.v FROM devices d LEFT JOIN LATERAL (SELECT v FROM readings r WHERE r.device = d.id AND r.time <= timestamptz '2024-03-30' ORDER BY r.time DESC, r.room LIMIT 1) x ON true ORDER BY 1
SELECT id FROM devices WHERE id IN (SELECT device FROM readings WHERE n > 40) ORDER BY id
SELECT id FROM devices WHERE id NOT IN (SELECT device FROM readings) ORDER BY id
SELECT id FROM devices d WHERE EXISTS (SELECT 1 FROM readings r WHERE r.device = d.id AND r.v > 9) ORDER BY id
SELECT id, (SELECT max(v) FROM readings r WHERE r.device = d.id) FROM devices d ORDER BY id
SELECT id, rank >= ALL (SELECT rank FROM devices WHERE rank IS NOT NULL) FROM devices ORDER BY id
SELECT * FROM devices WHERE (site, rank) = ('north', 1)
SELECT * FROM devices WHERE (site, rank) IN (('north', 1), ('south', 2)) ORDER BY id
SELECT * FROM devices WHERE (rank, id) > (1, 'd1') ORDER BY id
SELECT id FROM devices WHERE (id, site) IN (SELECT id, site FROM devices WHERE rank > 1) ORDER BY id
SELECT DISTINCT ON (device) device, time, v FROM readings ORDER BY device, time DESC, room
SELECT site, id, rank() OVER (PARTITION BY site ORDER BY rank NULLS FIRST), lag(id) OVER w, sum(weight) OVER w FROM devices WINDOW w AS (PARTITION BY site ORDER BY id) ORDER BY 1, 2
SELECT id, first_value(id) OVER (ORDER BY id), last_value(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), nth_value(id, 2) OVER (ORDER BY id), ntile(4) OVER (ORDER BY id), cume_dist() OVER (ORDER BY rank), percent_rank() OVER (ORDER BY rank) FROM devices ORDER BY 1
SELECT time, device, room, avg(v) OVER (PARTITION BY device ORDER BY time RANGE BETWEEN interval '6 hours' PRECEDING AND CURRENT ROW) FROM readings ORDER BY 1, 2, 3
SELECT device, sum(n), sum(sum(n)) OVER (ORDER BY device), rank() OVER (ORDER BY count(*) DESC) FROM readings GROUP BY device ORDER BY 1
WITH a AS (SELECT device, sum(n) s FROM readings GROUP BY 1), b AS (SELECT * FROM a WHERE s > 0) SELECT a.device, b.s FROM a LEFT JOIN b USING (device) ORDER BY 1
WITH q(x, y) AS MATERIALIZED (VALUES (1, 'a'), (2, 'b')) SELECT * FROM q UNION ALL SELECT * FROM q ORDER BY 1, 2
SELECT 1 UNION SELECT 2.5 UNION SELECT NULL ORDER BY 1
SELECT device FROM readings INTERSECT SELECT id FROM devices ORDER BY 1
SELECT id FROM devices EXCEPT SELECT device FROM readings ORDER BY 1
(SELECT id FROM devices ORDER BY id LIMIT 2) UNION ALL (SELECT site FROM devices ORDER BY site LIMIT 2) ORDER BY 1
VALUES (1, 'a'), (2, NULL) ORDER BY 1 DESC
TABLE devices ORDER BY id
SELECT * FROM devices ORDER BY rank DESC NULLS LAST, id LIMIT 3 OFFSET 1
SELECT * FROM devices ORDER BY rank FETCH FIRST 2 ROWS WITH TIES
SELECT id FROM devices ORDER BY rank IS NULL, rank, id
SELECT d.* FROM devices AS d(key, place) ORDER BY key
SELECT (SELECT count(*) FROM readings WHERE time >= d.installed) FROM devices d ORDER BY id
SELECT CASE rank WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END, CASE WHEN weight > 1 THEN weight END FROM devices ORDER BY id
SELECT count(*), count(DISTINCT site) FROM devices
SELECT current_date = now()::date, current_timestamp = now(), localtimestamp::date = current_date, pg_typeof(1.5), pg_typeof(now()), pg_typeof('a'), pg_typeof(ARRAY[1])
SELECT current_database() IS NOT NULL, current_schema(), current_user, session_user, version() LIKE 'PostgreSQL 15%', current_setting('server_version_num')::int / 10000
SELECT '1'::int, '1' + 1, '2024-01-01' < now(), 'a' = ANY('{a,b}'), '5' BETWEEN 1 AND 10, '{1,2}'::int[] || 3
SELECT 5 BETWEEN SYMMETRIC 10 AND 1, (timestamptz '2024-01-01', timestamptz '2024-02-01') OVERLAPS (timestamptz '2024-01-15', timestamptz '2024-03-01'), true IS NOT FALSE, NULL::boolean IS UNKNOWN
SELECT bool 'yes', 't'::boolean, 'off'::bool, 1::boolean, true::int, true::text, 1.6::int, -1.5::int, 2.5::int, 2.5::float8::int, 'abc'::varchar(2), 'abc'::char(5), 1234.567::numeric(6, 1)
SELECT E'a\tb\n', U&'\00e4', $$it's$$, $x$a$x$
SELECT gcd(12, 18), lcm(4, 6), factorial(5), mod(7, 3), div(7.5, 2), sign(-2.5), abs(-3), width_bucket(5.5, 0, 10, 5), degrees(pi()), radians(180), sin(0), atan2(1, 1), sinh(0), scale(1.50), trim_scale(1.50), min_scale(1.500)
SELECT num_nulls(1, NULL), num_nonnulls(1, NULL), 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 2
SELECT json_build_object('a', 1, 'b', NULL), to_json('x'::text), '{"a": [1, 2]}'::jsonb, '{"a": 1}'::json ->> 'a'
SELECT '{"a":{"b":[1, 2.50, "x"]}, "a b":null}'::json -> 'a' -> 'b' -> 1, '{"a":{"b": [1,2]}}'::json ->> 'a', '[1,"two",null]'::json ->> 1, '[1,null]'::json ->> 1, '[1,2,3]'::json -> -1, '{"a":1,"a":2}'::json -> 'a', '{"a":1}'::json -> 'z', '[1]'::json -> 5, '1'::json -> 0
SELECT '{"a":{"b":[1, 2.50, "x"]}, "a b":null}'::jsonb -> 'a' -> 'b' -> 1, '{"a":{"b": [1,2]}}'::jsonb ->> 'a', '[1,"tw\u00f6",null]'::jsonb ->> 1, '[1,2,3]'::jsonb -> -4, '{"a":1.0,"a":2.50}'::jsonb -> 'a', '5'::jsonb -> 0, '{"b":1}'::jsonb -> 0
SELECT '{"a":{"b":[1,{"c":"d"}]}}'::json #> '{a,b,1}', '{"a":{"b":[1,{"c":"d"}]}}'::json #>> '{a,b,1,c}', '{"a":1}'::jsonb #> '{}', '{"a":[5]}'::jsonb #>> '{a,-1}', '{"a":[5]}'::jsonb #> '{a,x}', '{"a":1}'::json #>> '{b,c}'
SELECT json_extract_path('{"a":{"b":1}}', 'a', 'b'), json_extract_path_text('{"a":{"b":"x"}}', 'a', 'b'), jsonb_extract_path('{"a":{"b":1}}', 'a'), jsonb_extract_path_text('{"a":[1,2]}', 'a', '1')
SELECT '{"a":1,"b":[1,2,{"c":3}]}'::jsonb @> '{"b":[{"c":3.0}]}', '["x","y"]'::jsonb @> '"x"', '[[1,2]]'::jsonb @> '[1]', '{"a":1}'::jsonb <@ '{"a":1,"b":2}', '[1,1]'::jsonb @> '[1,1,1]', '"x"'::jsonb @> '["x"]', '{"a":{"b":1}}'::jsonb @> '{"b":1}'
SELECT '{"a":1}'::jsonb ? 'a', '["a","b"]'::jsonb ? 'b', '"a"'::jsonb ? 'a', '[1]'::jsonb ? '1', '{"a":1,"b":2}'::jsonb ?| ARRAY['z','b'], '{"a":1,"b":2}'::jsonb ?& ARRAY['a','z']
SELECT '{"a":1,"bb":2}'::jsonb || '{"b":3,"a":4}', '[1]'::jsonb || '[2]', '[1]'::jsonb || '2', '1'::jsonb || '2', '{"a":1}'::jsonb || '[2]', '{"a":1}'::jsonb - 'a', '["a","b","a"]'::jsonb - 'a', '{"a":1,"b":2,"c":3}'::jsonb - ARRAY['a','c'], '[1,2,3]'::jsonb - 1, '[1,2,3]'::jsonb - -1
SELECT json_strip_nulls('{"a":null,"b":[null,{"c":null}],"d":"x"}'), jsonb_strip_nulls('{"a":null,"b":{"c":null}}'), jsonb_pretty('{"a":[1,{"b":null}],"c":{},"d":[]}'), json_array_length('[1,[2,3]]'), jsonb_array_length('[]'), json_typeof('null'), jsonb_typeof('{}')
SELECT jsonb_build_object('b', 1.50, 'a', ARRAY[1, 2]), jsonb_build_array(1, 'x', NULL, true, '{"z": 1}'::json), to_jsonb('x'::text), to_jsonb(timestamptz '2024-01-01'), to_json('{"a":  1}'::json), json_build_object('j', '[1]'::jsonb, 2, 3)
SELECT row_to_json(d) FROM devices d ORDER BY id
SELECT row_to_json(x), row_to_json(x, true), to_jsonb(x), json_build_object('x', x, 'y', ROW(1, 'a')) FROM (SELECT 1 AS a, 'q' AS "B c", NULL::int AS n, now() > '2024-01-01' AS t) x
SELECT row_to_json(ROW(1, 'a', NULL)), to_json(ROW(ROW(1, 2), 'x')), json_build_array(ROW(1))
SELECT d.id, row_to_json(r) FROM devices d LEFT JOIN (SELECT * FROM devices WHERE rank = 2) r ON r.id = d.id WHERE d.id < 'd3' AND d.id <> 'd0' AND d.id <> 'd2'
SELECT json_agg(d ORDER BY d.id) FROM (SELECT id, rank FROM devices) d
SELECT site, json_agg(id ORDER BY id), jsonb_agg(rank ORDER BY id), json_object_agg(id, weight ORDER BY id), jsonb_object_agg(id, installed ORDER BY id DESC) FROM devices GROUP BY site ORDER BY site
SELECT json_agg(installed ORDER BY id), json_agg(interval '1 day 2 hours') FILTER (WHERE rank = 1), json_agg(DISTINCT site) FROM devices
SELECT json_agg(ARRAY[rank, 1] ORDER BY id), json_agg(json_build_object('a', rank) ORDER BY id), jsonb_agg(d ORDER BY id) FROM devices d
SELECT (SELECT row_to_json(d) FROM (SELECT o.id, count(*)) d) FROM devices o GROUP BY o.id
SELECT * FROM json_array_elements('[1, "a", null, {"b": 2}]')
SELECT value FROM jsonb_array_elements_text('[1, "a", null, {"b":2}]') WITH ORDINALITY AS e(value, place) ORDER BY place DESC
SELECT x, x.value, value FROM json_array_elements('[1,2]') AS x
SELECT json_array_elements('[1, 2]'), json_object_keys('{"a":1,"b":2}')
SELECT * FROM json_each('{"a":1, "b":"x", "c":null}')
SELECT key, value FROM jsonb_each_text('{"b":"x","a":{"c": 1},"d":null}') ORDER BY key
SELECT k FROM jsonb_object_keys('{"bb":1,"a":2}') AS k
SELECT (NULL, NULL) IS NULL, (1, NULL) IS NULL, (1, NULL) IS NOT NULL, (1, 2) IS NOT NULL, ROW(NULL) IS NULL
SELECT d.id, r IS NULL, r IS NOT NULL FROM devices d LEFT JOIN devices r ON r.id = d.id AND r.rank > 1
SET intervalstyle = 'iso_8601'
SELECT interval '1 year 2 mons 3 days 04:05:06.789', interval '-1 day 2 hours', interval '0', interval '-00:00:00.5', interval '14 mons -3 days -00:01', interval '1 day'::text, to_json(interval '1 hour')
SET intervalstyle = 'postgres_verbose'
SELECT interval '1 year 2 mons 3 days 04:05:06.789', interval '-1 day 2 hours', interval '0', interval '-00:00:00.5', interval '14 mons -3 days -00:01', interval '00:00:01', interval '-1 sec', 'x' || interval '1 day'
RESET intervalstyle
SELECT interval '1 year 2 mons 3 days 04:05:06.789', interval '1 day'::text
SELECT oid::regclass::text FROM pg_class WHERE relname = 'devices'
SELECT column_name, data_type, is_nullable, ordinal_position FROM information_schema.columns WHERE table_name = 'devices' ORDER BY 4
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a WHERE a.attrelid = 'devices'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
INSERT INTO devices VALUES ('e1', 'east') RETURNING *
INSERT INTO devices (id, site, rank) SELECT 'e' || i, 'east', i FROM generate_series(2, 4) i RETURNING id, rank * 2 AS twice
INSERT INTO devices (id, site) VALUES ('e1', 'other') ON CONFLICT DO NOTHING RETURNING id
INSERT INTO devices AS d (id, site, rank) VALUES ('e1', 'other', 9), ('e5', 'new', 1) ON CONFLICT (id) DO UPDATE SET site = EXCLUDED.site || '!', rank = coalesce(d.rank, 0) + EXCLUDED.rank RETURNING *
INSERT INTO devices (id, site, rank) VALUES ('e1', 'z', 1) ON CONFLICT (id) DO UPDATE SET rank = 0 WHERE devices.rank > 100 RETURNING *
UPDATE devices SET rank = rank + 10, weight = NULL WHERE site LIKE 'east%' RETURNING id, rank, weight
UPDATE devices d SET site = r.room FROM (SELECT device, max(room) AS room FROM readings GROUP BY device) r WHERE r.device = d.id AND d.rank = 1 RETURNING d.id, d.site
UPDATE devices SET (site, rank) = ('pair', 7) WHERE id = 'e2' RETURNING *
UPDATE devices d SET (rank, weight) = (SELECT count(*), min(v) FROM readings WHERE device = 'd' || d.rank) WHERE id IN ('e2', 'e5') RETURNING id, rank, weight
UPDATE devices SET (weight, site) = (SELECT 1.5, 'none' WHERE false) WHERE id = 'nowhere'
UPDATE devices SET (site, rank) = ROW('row', DEFAULT) WHERE id = 'e2' RETURNING id, site, rank
UPDATE devices SET (rank) = (SELECT 3), weight = 2 WHERE id = 'e3' RETURNING rank, weight
UPDATE devices SET rank = DEFAULT WHERE id = 'e3' RETURNING rank
UPDATE devices SET id = 'e9' WHERE id = 'e4' RETURNING id
DELETE FROM devices USING (VALUES ('e1'), ('e2')) AS gone(id) WHERE devices.id = gone.id RETURNING devices.id
DELETE FROM devices WHERE id LIKE 'e%' RETURNING id
SELECT * FROM devices ORDER BY id
