-- One question a line, each of which PostgreSQL refuses: the SQLSTATE must be the same.
SELECT 1/0
SELECT 1.5/0
SELECT 1.5::float8/0
SELECT 5 % 0
SELECT n / 0 FROM readings
SELECT 9223372036854775807 + 1
SELECT 2147483647 + 1
SELECT 3000000000::int
SELECT 40000::smallint
SELECT 1e400::float8
SELECT 1e200::float8 * 1e200::float8
SELECT 'abc'::int
SELECT '1.5'::int
SELECT ''::bigint
SELECT 'x'::boolean
SELECT '2024-13-01'::timestamptz
SELECT '2024-02-30'::date
SELECT '25:00'::time
SELECT 'yesterdayish'::timestamptz
SELECT 'one day'::interval
SELECT '1.2.3'::numeric
SELECT 'zzz'::uuid
SELECT '{1,2'::int[]
SELECT '{"a":'::jsonb
SELECT now() AT TIME ZONE 'Nowhere/City'
SELECT sqrt(-1.0::float8)
SELECT ln(0.0)
SELECT ln(-1::float8)
SELECT power(0::float8, -1)
SELECT nothing FROM readings
SELECT readings.nothing FROM readings
SELECT other.v FROM readings
SELECT v FROM nowhere
SELECT v FROM nowhere.readings
SELECT nothing(v) FROM readings
SELECT length(v) FROM readings
SELECT v || n FROM readings
SELECT note + 1 FROM readings
SELECT ok + 1 FROM readings
SELECT time + time FROM readings
SELECT -note FROM readings
SELECT NOT n FROM readings
SELECT n AND ok FROM readings
SELECT v FROM readings WHERE n
SELECT v FROM readings WHERE count(*) > 1
SELECT v, count(*) FROM readings
SELECT device, v FROM readings GROUP BY device
SELECT * FROM readings GROUP BY device
SELECT sum(sum(n)) FROM readings
SELECT sum(n) FROM readings GROUP BY sum(n)
SELECT n FROM readings HAVING n > 1
SELECT sum(note) FROM readings
SELECT device FROM readings ORDER BY 2
SELECT device FROM readings GROUP BY 3
SELECT device FROM readings ORDER BY nothing
SELECT DISTINCT device FROM readings ORDER BY v
SELECT DISTINCT ON (device) device, v FROM readings ORDER BY room
SELECT device FROM readings a, readings b
SELECT a.device FROM readings a JOIN readings a ON true
SELECT * FROM readings a JOIN devices b USING (device)
SELECT device FROM readings LIMIT -1
SELECT device FROM readings OFFSET -1
SELECT device FROM readings LIMIT 'a'
SELECT (SELECT device, room FROM readings)
SELECT (SELECT n FROM readings)
SELECT 1 WHERE 1 IN (SELECT device, room FROM readings)
SELECT 1 WHERE 1 IN (SELECT device FROM readings)
SELECT n FROM readings UNION SELECT device FROM readings
SELECT n, v FROM readings UNION SELECT n FROM readings
SELECT n FROM readings UNION SELECT v::text FROM readings
SELECT CASE WHEN ok THEN 1 ELSE 'a' END FROM readings
SELECT CASE WHEN n THEN 1 END FROM readings
SELECT coalesce(n, 'x') FROM readings
SELECT coalesce(n, note) FROM readings
SELECT n = note FROM readings
SELECT n IN ('a', 'b') FROM readings
SELECT n = ANY('{a}') FROM readings
SELECT n = ANY(ARRAY['a']) FROM readings
SELECT n = ANY(5) FROM readings
SELECT ARRAY[1, 'a']
SELECT ARRAY[1, ok] FROM readings
SELECT ARRAY[]
SELECT note LIKE 'a\'
SELECT note LIKE 'a' ESCAPE 'xx' FROM readings
SELECT note ~ '(' FROM readings
SELECT note ~ 'a{5,2}' FROM readings
SELECT note ~ '[z-a]' FROM readings
SELECT row_number() FROM readings
SELECT row_number() OVER (ORDER BY n) FROM readings WHERE row_number() OVER () > 1
SELECT sum(row_number() OVER ()) FROM readings
SELECT sum(n) OVER (ORDER BY sum(n) OVER ()) FROM readings
SELECT sum(n) OVER w FROM readings
SELECT sum(n) OVER (w ORDER BY v) FROM readings WINDOW w AS (ORDER BY n)
SELECT sum(n) OVER (ORDER BY n ROWS -1 PRECEDING) FROM readings
SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) FROM readings
SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM readings
SELECT sum(n) OVER (RANGE 1 PRECEDING) FROM readings
SELECT sum(n) OVER (ORDER BY note RANGE 1 PRECEDING) FROM readings
SELECT sum(n) OVER (ORDER BY n, v RANGE 1 PRECEDING) FROM readings
SELECT sum(n) OVER (GROUPS 1 PRECEDING) FROM readings
SELECT ntile(0) OVER (ORDER BY n) FROM readings
SELECT nth_value(n, 0) OVER (ORDER BY n) FROM readings
SELECT length(note) OVER () FROM readings
SELECT rank() WITHIN GROUP (ORDER BY n) FROM readings
SELECT percentile_cont(0.5) FROM readings
SELECT percentile_cont(2) WITHIN GROUP (ORDER BY v) FROM readings
SELECT count(DISTINCT *) FROM readings
SELECT sum() FROM readings
SELECT sum(*) FROM readings
SELECT count() FROM readings
SELECT length(DISTINCT 'a')
SELECT length('a') FILTER (WHERE true)
SELECT GROUPING(v) FROM readings GROUP BY device
SELECT GROUPING(device) FROM readings
WITH q AS (SELECT 1), q AS (SELECT 2) SELECT * FROM q
WITH q(a, b) AS (SELECT 1) SELECT * FROM q
SELECT * FROM (SELECT 1) AS s(a, b)
SELECT * FROM (VALUES (1), (2, 3)) AS v
VALUES (1), ('a')
SELECT * FROM generate_series(1, 5, 0)
SELECT generate_series(1, 'a')
SELECT 1 AS a ORDER BY a + 1
SELECT EXTRACT(nothing FROM now())
SELECT date_trunc('nothing', now())
SELECT date_bin('0', now(), now())
SELECT date_bin('1 month', now(), now())
SELECT to_timestamp('x', 'YYYY')
SELECT make_date(2024, 2, 30)
SELECT chr(0)
SELECT chr(-1)
SELECT repeat('a', 2000000000)
SELECT split_part('a', 'b', 0)
SELECT substr('abc', 1, -1)
SELECT lpad('a', 2000000000)
SELECT encode('a', 'nothing')
SELECT decode('zz', 'hex')
SELECT format('%d', 1)
SELECT format('%s')
SELECT regexp_replace('a', 'a', 'b', 'Q')
SELECT width_bucket(1, 2, 2, 5)
SELECT round(1.5::float8, 1)
SELECT nothing::nothing
SELECT 1::nothing
SELECT CAST(now() AS int)
SELECT CAST(true AS timestamptz)
SELECT true::float8
SELECT 1.5::boolean
SELECT '1'::int + '2'::text
SELECT (1, 2) = (1, 2, 3)
SELECT (1, 2) < (1, 'a')
SELECT (1).x
SELECT ('{1,2}'::int[])['a']
SELECT 1[1]
SELECT $1
SELECT 'unterminated
SELECT "unterminated
SELECT 1 /* unterminated
SELEC 1
SELECT FROM WHERE
SELECT 1,
SELECT (1
SELECT 1)
SELECT * readings
SELECT 1 FROM readings WHERE
INSERT INTO devices VALUES ('d0', 'again')
INSERT INTO devices VALUES ('dx', NULL)
INSERT INTO devices (site) VALUES ('x')
INSERT INTO devices VALUES ('a', 'b', 'c')
INSERT INTO devices VALUES ('a')
INSERT INTO devices (id, id) VALUES ('a', 'b')
INSERT INTO devices (nothing) VALUES (1)
INSERT INTO nowhere VALUES (1)
INSERT INTO devices VALUES ('a', 'b', 1, 2, now(), 6)
INSERT INTO devices (id, site) VALUES ('d0', 'x') ON CONFLICT (site) DO NOTHING
INSERT INTO devices (id, site) VALUES ('q', 'x'), ('q', 'y') ON CONFLICT (id) DO UPDATE SET site = EXCLUDED.site
UPDATE devices SET site = NULL
UPDATE devices SET nothing = 1
UPDATE devices SET rank = 'x'
UPDATE devices SET id = 'd1' WHERE id = 'd0'
UPDATE nowhere SET a = 1
DELETE FROM nowhere
DELETE FROM devices WHERE nothing = 1
CREATE TABLE devices (id text PRIMARY KEY)
DROP TABLE nowhere
SET nothing = 1
SET timezone = 'Nowhere'
SET statement_timeout = 'x'
SHOW nothing
EXECUTE nothing
DEALLOCATE nothing
FETCH 1 FROM nothing
CLOSE nothing
ROLLBACK TO SAVEPOINT nothing
UPDATE devices SET (site, rank) = (SELECT 'x', 2, 3)
UPDATE devices SET (site, rank) = ('x')
UPDATE devices SET (site, rank) = ROW('x')
UPDATE devices SET (site, rank) = (SELECT site, rank FROM devices)
UPDATE devices SET (site, nothing) = (SELECT 'x', 2)
SELECT json_build_object('a')
SELECT json_build_object('a', 1, NULL, 2)
SELECT jsonb_build_object(NULL, 2)
SELECT json_build_object(ARRAY[1], 2)
SELECT json_object_agg(NULL::text, 1)
SELECT '{"a":1'::json
SELECT '{"a":1}'::json @> '{}'
SELECT '{"a":1}'::json -> true
SELECT json_array_elements('{"a":1}')
SELECT json_array_elements('1')
SELECT jsonb_array_elements('{"a":1}')
SELECT * FROM json_each('[1]')
SELECT * FROM jsonb_each('[1]')
SELECT json_object_keys('[1]')
SELECT json_array_length('{}')
SELECT jsonb_array_length('1')
SELECT '{"a":1}'::jsonb - 1
SELECT '1'::jsonb - 'a'
SELECT row_to_json(1)
SELECT row_to_json(nothing) FROM devices
SET intervalstyle = 'nothing'
SELECT json_agg(d, 1) FROM devices d
