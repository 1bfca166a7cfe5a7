"""LISTEN and NOTIFY with psycopg, asyncpg and psql."""

import asyncio
import json
from contextlib import contextmanager

import asyncpg
import psycopg

from subscribe_tests import Events, write
from support import HOUR, connect, expect, metrics, psql, request, until


@contextmanager
def two_clients(context):
    server = context.server()
    with connect(server) as one, connect(server) as two:
        yield server, one, two


def taken(client, count, timeout=10):
    """The next so many notifications."""
    found = []
    for notification in client.notifies(timeout=timeout, stop_after=count):
        found.append(notification)
    return [(each.channel, each.payload) for each in found]


def none(client):
    """Whatever was sent before has come once a statement is answered."""
    client.execute("SELECT 1")
    expect(list(client.notifies(timeout=0.2)), [])


def refused(client, sql, code, parameters=None):
    try:
        client.execute(sql, parameters)
    except psycopg.Error as error:
        expect((sql, error.sqlstate), (sql, code))
    else:
        raise AssertionError(f"{sql} was not refused")


def test_a_notification_reaches_those_who_listen_when_it_is_committed(context):
    with two_clients(context) as (server, one, two):
        one.execute("LISTEN news")
        two.execute("NOTIFY news, 'first'")
        two.execute("NOTIFY other, 'nobody'")
        two.execute("SELECT pg_notify('news', 'second')")
        expect(taken(one, 2), [("news", "first"), ("news", "second")])
        # Not before the commit, the same only once, in order; not what was rolled back.
        two.execute("BEGIN")
        for payload in ["a", "b", "a", "", "b"]:
            two.execute("SELECT pg_notify('news', %s)", (payload,))
        none(one)
        two.execute("SAVEPOINT s")
        two.execute("NOTIFY news, 'never'")
        two.execute("ROLLBACK TO s")
        two.execute("NOTIFY news")
        two.execute("COMMIT")
        expect(taken(one, 3), [("news", "a"), ("news", "b"), ("news", "")])
        two.execute("BEGIN")
        two.execute("NOTIFY news, 'never'")
        two.execute("ROLLBACK")
        refused(two, "SELECT pg_notify('news', 'never'), 1 / 0", "22012")
        none(one)
        # A session hears itself, with its own number, and after UNLISTEN no more.
        one.execute("NOTIFY news, 'mine'")
        notification = next(one.notifies(timeout=10, stop_after=1))
        expect((notification.payload, notification.pid), ("mine", one.info.backend_pid))
        expect(one.execute("SELECT pg_listening_channels()").fetchall(), [("news",)])
        one.execute("UNLISTEN news")
        two.execute("NOTIFY news, 'late'")
        none(one)
        expect(one.execute("SELECT pg_listening_channels()").fetchall(), [])


def test_listening_begins_and_ends_with_the_transaction_that_says_so(context):
    with two_clients(context) as (server, one, two):
        one.execute("BEGIN")
        one.execute("LISTEN a")
        one.execute("ROLLBACK")
        expect(one.execute("SELECT pg_listening_channels()").fetchall(), [])
        one.execute("BEGIN")
        one.execute("LISTEN a")
        one.execute("NOTIFY a, 'own'")
        two.execute("NOTIFY a, 'early'")
        one.execute("COMMIT")
        expect(taken(one, 1), [("a", "own")])
        one.execute('LISTEN "Mixed Case"')
        one.execute("LISTEN b")
        # In a block notifications wait for its end.
        one.execute("BEGIN")
        two.execute("NOTIFY b, 'waits'")
        two.execute("""NOTIFY "Mixed Case", 'too'""")
        none(one)
        one.execute("COMMIT")
        expect(taken(one, 2), [("b", "waits"), ("Mixed Case", "too")])
        one.execute("UNLISTEN *")
        two.execute("NOTIFY b")
        none(one)
        one.execute("LISTEN a")
        one.execute("DISCARD ALL")
        two.execute("NOTIFY a")
        none(one)
        until(lambda: metrics(server)["varve_listening_sessions"] <= 1)


def test_bad_channels_and_payloads_are_refused_as_in_postgresql(context):
    server = context.server()
    with connect(server) as client:
        refused(client, "SELECT pg_notify('', 'x')", "22023")
        refused(client, "SELECT pg_notify(NULL, 'x')", "22023")
        refused(client, "SELECT pg_notify(repeat('x', 64), 'x')", "22023")
        refused(client, "SELECT pg_notify('x', repeat('x', 8000))", "22023")
        refused(client, "NOTIFY x, %s" % ("'" + "y" * 8000 + "'"), "22023")
        refused(client, """NOTIFY "varve.table:cpu", '{}'""", "42939")
        client.execute("LISTEN x")
        client.execute("SELECT pg_notify('x', repeat('ü', 3999))")
        expect(taken(client, 1), [("x", "ü" * 3999)])
        client.execute("SELECT pg_notify('x', NULL)")
        expect(taken(client, 1), [("x", "")])
    status, _, body = request(server.http("/query?q=LISTEN%20x"))
    expect((status, json.loads(body)["code"]), (400, "0A000"))
    # Whoever has nothing to listen with may still tell.
    with connect(server) as client:
        client.execute("LISTEN x")
        status, _, body = request(server.http("/query?q=NOTIFY%20x,%20'http'"))
        expect(status, 200)
        expect(taken(client, 1), [("x", "http")])


def test_commits_of_a_table_have_a_channel(context):
    server = context.server()
    with connect(server) as client:
        notices = []
        client.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        client.execute('LISTEN "varve.table:cpu"')
        assert notices and "no series table" in notices[0], notices
        write(server, f"cpu,host=a usage=1 {HOUR}\ncpu,host=a usage=2 {HOUR + 1_500_000_000}\nmem,host=a used=1 {HOUR}\n")
        write(server, f"mem,host=a used=1 {HOUR}\n")
        write(server, f"cpu,host=a usage=1 {HOUR}\n")
        found = [json.loads(payload) for _, payload in taken(client, 2)]
        expect([each["rows"] for each in found], [2, 1])
        expect((found[0]["table"], found[0]["from"], found[0]["to"]),
               ("cpu", "2023-11-14 22:13:20+00", "2023-11-14 22:13:21.5+00"))
        first = found[0]["offset"]
        assert int(found[1]["offset"]) > int(first), found
        with connect(server) as other:
            other.execute("DELETE FROM cpu WHERE time < '2023-11-14 22:13:21Z'")
        found = json.loads(taken(client, 1)[0][1])
        expect((found["rows"], found["deletes"], found["from"]), (0, True, None))
    # The offset is one to follow the table's rows from: those of the commit behind it come first.
    events = Events(server, "SELECT usage, time FROM cpu", offset=first)
    context.closing(events)
    expect(events.rows(1), [{"usage": 1, "time": "2023-11-14 22:13:20+00"}])


def test_asyncpg_adds_and_removes_listeners(context):
    server = context.server()

    async def run():
        one, two = [
            await asyncpg.connect(host="127.0.0.1", port=server.ports["postgres"], user="varve", database="varve")
            for _ in range(2)]
        heard = asyncio.Queue()

        def hear(connection, pid, channel, payload):
            heard.put_nowait((pid, channel, payload))

        await one.add_listener("jobs", hear)
        for number in range(100):
            await two.execute("SELECT pg_notify('jobs', $1)", str(number))
        told = [await asyncio.wait_for(heard.get(), 10) for _ in range(100)]
        expect(told, [(two.get_server_pid(), "jobs", str(number)) for number in range(100)])
        async with two.transaction():
            await two.execute("NOTIFY jobs, 'in a transaction'")
        expect((await asyncio.wait_for(heard.get(), 10))[2], "in a transaction")
        await one.remove_listener("jobs", hear)
        await two.execute("NOTIFY jobs, 'late'")
        await one.fetchval("SELECT 1")
        assert heard.empty()
        # Also while it reads a result.
        await one.add_listener("jobs", hear)
        reading = asyncio.ensure_future(one.fetch("SELECT * FROM generate_series(1, 300000)"))
        await two.execute("NOTIFY jobs, 'meanwhile'")
        expect(len(await reading), 300_000)
        expect((await asyncio.wait_for(heard.get(), 10))[2], "meanwhile")
        await one.close()
        await two.close()

    asyncio.run(run())


def test_psql_shows_notifications(context):
    server = context.server()
    shown = psql(server, "LISTEN x", "NOTIFY x, 'hello'", "SELECT 1")
    assert 'Asynchronous notification "x" with payload "hello" received from server process' in shown, shown


def test_a_listener_that_does_not_take_its_notifications_is_ended(context):
    with two_clients(context) as (server, one, two):
        one.execute("LISTEN x")
        one.execute("BEGIN")
        one.execute("SELECT 1")
        try:
            for _ in range(2000):
                two.execute("SELECT pg_notify('x', repeat('y', 7000))")
            one.execute("SELECT 1")
        except psycopg.Error as error:
            expect(error.sqlstate, "53200")
        else:
            raise AssertionError("memory without a bound")
        expect(two.execute("SELECT 1").fetchone(), (1,))
