"""Several servers as one table: the partitions of a table of a PostgreSQL 15 that the test starts are foreign tables, on a server of Varve each. What it
answers is held against what Python makes of the same lines. The page BeyondOneMachine says what each of these means for those who set it up."""

import collections
import datetime

import psycopg

from archive_tests import archive, archived, run
from differential.postgres import PostgreSQL, program
from support import Skipped, connect, expect, expect_error, metrics

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
DAYS = 4
STEP = datetime.timedelta(minutes=5)
SITES = ["north", "south"]
COLUMNS = "time timestamptz NOT NULL, site text, host text, usage double precision, n bigint"
HOURLY = "SELECT site, date_bin('1 hour', time, '2000-01-01Z') AS hour, count(*), avg(usage), max(n) FROM cpu WHERE {} GROUP BY 1, 2 ORDER BY 1, 2"


def rows_of(site):
    """Rows as they are read. Usages are quarters, so that sums are exact in any order; hosts have the same names at both sites."""
    for step in range(DAYS * datetime.timedelta(days=1) // STEP):
        for number in range(3):
            n = step * 3 + number + 100_000 * SITES.index(site)
            yield START + step * STEP, site, f"h{number}", n * 37 % 1000 / 4, n


ROWS = [row for site in SITES for row in rows_of(site)]


def hourly(rows):
    groups = collections.defaultdict(list)
    for time, site, _, usage, n in rows:
        groups[site, time.replace(minute=0)].append((usage, n))
    return [(*key, len(group), sum(usage for usage, _ in group) / len(group), max(n for _, n in group)) for key, group in sorted(groups.items())]


class Spread:
    """A server a site, and a connection to the PostgreSQL in front of them."""

    def __init__(self, context, *flags, partition="LIST (site)", bounds=tuple(f"IN ('{site}')" for site in SITES), filled=True):
        if program("postgres") is None:
            raise Skipped("PostgreSQL 15 is not installed")
        self.servers = {site: context.server(*flags, name=site) for site in SITES}
        for site, server in self.servers.items():
            with connect(server) as own:
                own.execute(f"CREATE TABLE cpu ({COLUMNS.replace(' NOT NULL', '')}) WITH (varve.tags = 'site,host')")
            if filled:
                lines = server.lines()
                lines.send("".join(f"cpu,site={site},host={host} usage={usage},n={n}i {int(time.timestamp()) * 10**9}\n"
                                   for time, _, host, usage, n in rows_of(site)))
                expect(lines.sync()[:2], (len(ROWS) // 2, 0))
                lines.close()
        postgres = PostgreSQL(context.path("postgres"))
        context.closing(postgres)
        self.connection = postgres.connect(options="-c timezone=UTC -c enable_partitionwise_aggregate=on")
        context.closing(self.connection)
        try:
            self.connection.execute("CREATE EXTENSION postgres_fdw")
        except psycopg.Error as error:
            raise Skipped(f"no postgres_fdw: {error}")
        self.connection.execute(f"CREATE TABLE cpu ({COLUMNS}) PARTITION BY {partition}")
        for (site, server), values in zip(self.servers.items(), bounds):
            self.connection.execute(
                f"CREATE SERVER {site} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{server.ports['postgres']}', dbname 'varve', "
                "async_capable 'true', fdw_tuple_cost '1', batch_size '1000', fetch_size '1000')")
            self.connection.execute(f"CREATE USER MAPPING FOR CURRENT_USER SERVER {site} OPTIONS (user 'varve', password_required 'false')")
            self.connection.execute(f"CREATE FOREIGN TABLE cpu_{site} PARTITION OF cpu FOR VALUES {values} SERVER {site} OPTIONS (table_name 'cpu')")

    def ask(self, query):
        return self.connection.execute(query).fetchall()

    def plan(self, query):
        return "\n".join(row[0] for row in self.ask("EXPLAIN (VERBOSE, COSTS OFF) " + query))

    def check(self):
        """Every kind of question, over both servers."""
        expect(self.ask("SELECT count(*), sum(n)::bigint, min(time), max(usage) FROM cpu"),
               [(len(ROWS), sum(row[4] for row in ROWS), START, max(row[3] for row in ROWS))])
        expect(self.ask(HOURLY.format("true")), hourly(ROWS))
        late = START + datetime.timedelta(days=2, hours=7)
        expect(self.ask(HOURLY.format(f"host IN ('h0', 'h2') AND usage >= 20 AND time >= '{late}'")),
               hourly(row for row in ROWS if row[2] in ("h0", "h2") and row[3] >= 20 and row[0] >= late))
        expect(self.ask("SELECT * FROM cpu WHERE time < '2024-01-02Z' ORDER BY time, site, host"),
               sorted(row for row in ROWS if row[0] < START + datetime.timedelta(days=1)))
        expect(self.ask("SELECT * FROM cpu WHERE host = 'h1' ORDER BY time DESC, site LIMIT 5"),
               sorted((row for row in ROWS if row[2] == "h1"), key=lambda row: (-row[0].timestamp(), row[1]))[:5])
        # An average over sites out of what each server summed.
        totals = collections.defaultdict(list)
        for row in ROWS:
            totals[row[2]].append(row[3])
        expect(self.ask("SELECT host, sum(total) / sum(rows), sum(rows)::bigint FROM "
                        "(SELECT site, host, sum(usage) AS total, count(usage) AS rows FROM cpu GROUP BY site, host) AS sites GROUP BY host ORDER BY host"),
               [(host, sum(values) / len(values), len(values)) for host, values in sorted(totals.items())])


def opened(server):
    return metrics(server)['varve_connections_total{listener="postgres"}']


def pushed(spread):
    """What the servers do by themselves: buckets are grouped there, and the first rows of a partition found."""
    plan = spread.plan(HOURLY.format("time >= '2024-01-02Z' AND host <> 'h1'"))
    expect(plan.count("Async Foreign Scan"), 2)
    expect(plan.count("Relations: Aggregate on (public.cpu_"), 2)
    expect(plan.count("Remote SQL: SELECT site, date_bin('01:00:00'::interval, \"time\", '2000-01-01 00:00:00+00'::timestamp with time zone), count(*), "
                      "avg(usage), max(n) FROM public.cpu WHERE ((\"time\" >= '2024-01-02 00:00:00+00')) AND ((host <> 'h1')) GROUP BY 1, 2"), 2)
    plan = spread.plan("SELECT time, n FROM cpu_north WHERE usage > 20 ORDER BY time DESC LIMIT 5")
    assert "Remote SQL: SELECT \"time\", n FROM public.cpu WHERE ((usage > 20::double precision)) ORDER BY \"time\" DESC NULLS FIRST LIMIT 5::bigint" in plan, plan


def check_without_south(spread):
    """A server that is down is named by who needs it, and nobody else does."""
    spread.servers["south"].kill()
    # First on a connection that PostgreSQL had open, then on one that it cannot open.
    for _ in range(2):
        error = expect_error("08001", lambda: spread.ask("SELECT count(*) FROM cpu"))
        assert 'could not connect to server "south"' in str(error), error
        expect(spread.ask(HOURLY.format("site = 'north'")), hourly(rows_of("north")))
    spread.servers["south"].start()
    spread.check()


def test_partitions_on_two_servers_answer_as_one_table(context):
    spread = Spread(context)
    spread.check()
    pushed(spread)
    # What PostgreSQL may not send on comes as rows, and is right all the same.
    plan = spread.plan(HOURLY.replace("date_bin('1 hour', time, '2000-01-01Z')", "date_trunc('hour', time)").format("true"))
    expect((plan.count("Remote SQL: SELECT \"time\", site, usage, n FROM public.cpu"), plan.count("Relations: Aggregate")), (2, 0))
    expect(spread.ask(HOURLY.replace("date_bin('1 hour', time, '2000-01-01Z')", "date_trunc('hour', time)").format("true")), hourly(ROWS))
    error = expect_error("42883", lambda: spread.ask("SELECT time_bucket('1 hour', time) FROM cpu"))
    assert "time_bucket" in str(error), error


def test_servers_say_what_a_question_costs_them(context):
    spread = Spread(context)
    spread.connection.execute(f"CREATE FOREIGN TABLE again ({COLUMNS}) SERVER north OPTIONS (table_name 'cpu')")
    join = "SELECT c.host, count(*), max(a.n) FROM cpu_north c JOIN again a ON c.time = a.time AND c.host = a.host WHERE a.usage < 100 GROUP BY 1 ORDER BY 1"
    totals = collections.defaultdict(list)
    for _, _, host, usage, n in rows_of("north"):
        if usage < 100:
            totals[host].append(n)
    joined = [(host, len(numbers), max(numbers)) for host, numbers in sorted(totals.items())]
    expect(spread.ask(join), joined)
    aggregate = "Relations: Aggregate on ((public.cpu_north c) INNER JOIN (public.again a))"
    assert aggregate not in spread.plan(join), "PostgreSQL joins by itself as long as it knows of no costs"

    def expected(query):
        """How many rows PostgreSQL expects of its topmost node."""
        return int(spread.ask("EXPLAIN " + query)[0][0].split("rows=")[1].split()[0])

    for site in SITES:
        spread.connection.execute(f"ALTER SERVER {site} OPTIONS (ADD use_remote_estimate 'true')")
    for option in ["SET fdw_tuple_cost '1'", "DROP fdw_tuple_cost"]:
        for site in SITES:
            spread.connection.execute(f"ALTER SERVER {site} OPTIONS ({option})")
        spread.check()
        pushed(spread)
        assert aggregate in spread.plan(join), spread.plan(join)
        expect(spread.ask(join), joined)
    expect(expected("SELECT * FROM cpu_north"), len(ROWS) // 2)
    expect(expected("SELECT n FROM cpu_north WHERE host = 'h1'"), len(ROWS) // 6)
    expect(expected("SELECT n FROM cpu_north WHERE host = (SELECT 'h1'::text)"), len(ROWS) // 6)
    expect(expected("SELECT n FROM cpu WHERE time >= '2024-01-04Z'"), len(ROWS) // 4)
    expect(expected(HOURLY.format("time >= '2024-01-04Z'")), 2 * 24)
    expect(expected("SELECT host, count(*) FROM cpu_south GROUP BY host"), 3)
    # What PostgreSQL knows of the columns by itself does not keep it from sending buckets on.
    spread.connection.execute("ANALYZE cpu")
    pushed(spread)
    spread.check()
    # A server that is down is asked for its costs only where the question is for it.
    check_without_south(spread)


def test_a_question_for_one_site_goes_to_one_server(context):
    spread = Spread(context)
    before = opened(spread.servers["south"])
    query = HOURLY.format("site = 'north'")
    plan = spread.plan(query)
    assert "cpu_north" in plan and "cpu_south" not in plan, plan
    expect(spread.ask(query), hourly(rows_of("north")))
    expect(opened(spread.servers["south"]), before)
    expect(spread.ask(HOURLY.format("site = 'south'")), hourly(rows_of("south")))
    expect(opened(spread.servers["south"]), before + 1)


def test_a_server_that_is_down_is_named_and_the_other_still_answers(context):
    spread = Spread(context)
    spread.check()
    check_without_south(spread)


def test_rows_that_one_server_archived_are_answered_as_before(context):
    url, directory = archive(context)
    spread = Spread(context, "--archive", url, "--archive-cache", "0")
    spread.check()
    with connect(spread.servers["north"]) as own:
        run(own, "'cpu'", "'2024-01-03Z'")
        expect(archived(own), len(ROWS) // 4)
    spread.check()
    with connect(spread.servers["south"]) as own:
        # The one address has a folder of each server.
        run(own, "'cpu'", "'2024-01-02Z'")
        expect(archived(own), len(ROWS) // 8)
    spread.check()


def test_rows_find_their_server_through_the_table_and_beside_it(context):
    spread = Spread(context)
    day = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    rows = [(day + datetime.timedelta(minutes=i), SITES[i % 2], "new", i / 4, i) for i in range(2500)]
    with spread.connection.cursor() as cursor, cursor.copy("COPY cpu FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    for site, server in spread.servers.items():
        with connect(server) as own:
            expect(own.execute("SELECT time, site, host, usage, n FROM cpu WHERE host = 'new' ORDER BY time").fetchall(),
                   [row for row in rows if row[1] == site])
    expect_error("23514", lambda: spread.ask("INSERT INTO cpu VALUES ('2025-01-01Z', 'east', 'new', 1, 1) RETURNING 1"))
    expect_error("0A000", lambda: spread.ask("UPDATE cpu SET usage = 1 WHERE host = 'new' RETURNING 1"))
    # A row again replaces the fields that it names; and PostgreSQL names them all.
    again = "INSERT INTO cpu (time, site, host, usage) VALUES ('2025-01-01 00:{}Z', 'north', 'new', 7)"
    spread.connection.execute(again.format("00"))
    with connect(spread.servers["north"]) as own:
        own.execute(again.format("02"))
    expect(spread.ask("SELECT usage, n FROM cpu WHERE host = 'new' AND site = 'north' ORDER BY time LIMIT 3"), [(7.0, None), (7.0, 2), (1.0, 4)])
    expect(spread.connection.execute("DELETE FROM cpu WHERE host = 'new'").rowcount, len(rows))
    spread.check()
    # PostgreSQL believes that a server has the rows of its partition alone.
    with connect(spread.servers["north"]) as own:
        own.execute("INSERT INTO cpu (time, site, host, n) VALUES ('2025-01-01Z', 'south', 'stray', 1)")
    expect(spread.ask("SELECT count(*) FROM cpu WHERE host = 'stray'"), [(1,)])
    expect(spread.ask("SELECT count(*) FROM cpu WHERE host = 'stray' AND site = 'south'"), [(0,)])


def test_hosts_are_spread_by_hash(context):
    spread = Spread(context, partition="HASH (host)", bounds=[f"WITH (MODULUS 2, REMAINDER {place})" for place in range(2)], filled=False)
    rows = [(START + datetime.timedelta(seconds=i), "all", f"h{i % 20}", i / 4, i) for i in range(3000)]
    with spread.connection.cursor() as cursor, cursor.copy("COPY cpu FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    hosts = []
    for server in spread.servers.values():
        with connect(server) as own:
            hosts.append({row[0] for row in own.execute("SELECT DISTINCT host FROM cpu").fetchall()})
    assert hosts[0] and hosts[1] and not hosts[0] & hosts[1], hosts
    query = "SELECT host, count(*), max(n) FROM cpu GROUP BY host ORDER BY host"
    expect(spread.plan(query).count("Remote SQL: SELECT host, count(*), max(n) FROM public.cpu GROUP BY 1"), 2)
    expect(spread.ask(query), sorted((f"h{number}", 150, 2980 + number) for number in range(20)))
    plan = spread.plan("SELECT * FROM cpu WHERE host = 'h3'")
    expect(plan.count("Foreign Scan"), 1)
    expect(spread.ask("SELECT n FROM cpu WHERE host = 'h3' ORDER BY n"), [(n,) for n in range(3, 3000, 20)])
