"""Life and death of a server."""

import random
import signal
import threading
import time

import psycopg

import crash_test
from support import HOUR, connect, expect


def test_everything_is_there_after_a_stop_in_order(context):
    server = context.server()
    lines = server.lines()
    for batch in range(20):
        lines.send("".join(f"cpu,host=h{i} v={i} {HOUR + batch * 10**9}\n" for i in range(500)))
    # Not synced: a stop in order makes durable what was received.
    time.sleep(1)
    expect(server.stop(), 0)
    server.start()
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (10_000,))


def test_a_restart_after_kill_binds_the_same_ports_at_once(context):
    server = context.server()
    lines = server.lines()
    session = connect(server)
    lines.send(f"cpu v=1 {HOUR}\n")
    lines.sync()
    ports = dict(server.ports)
    server.kill()
    server.start()
    expect(server.ports, ports)
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone(), (1,))
    del session


def test_a_second_signal_ends_the_server_at_once(context):
    server = context.server()
    with connect(server) as connection:
        thread = threading.Thread(
            target=lambda: swallow(lambda: connection.execute(
                "SELECT sum(a * b) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b")))
        thread.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        expect(server.wait(5), 128 + signal.SIGTERM)
        thread.join()


def swallow(body):
    try:
        body()
    except psycopg.Error:
        pass


def test_no_acknowledged_row_is_lost_to_kill(context):
    seed = random.SystemRandom().randrange(1 << 32)
    assert crash_test.run(context.binary, 2, seed), f"seed {seed}"
