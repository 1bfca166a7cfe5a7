"""PostgreSQL's JDBC driver, as Debian's libpostgresql-jdbc-java has it."""

import os
import shutil
import subprocess

from support import Skipped, connect, expect

DRIVER = "/usr/share/java/postgresql.jar"
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jdbc", "Client.java")


def test_jdbc_reads_metadata_and_rows_in_parts_and_writes_batches(context):
    if not os.path.exists(DRIVER):
        raise Skipped("no libpostgresql-jdbc-java")
    if shutil.which("java") is None or shutil.which("javac") is None:
        raise Skipped("no JDK")
    server = context.server()
    with connect(server) as connection:
        connection.execute("CREATE TABLE cpu (time timestamptz, host text, usage double precision, n bigint) WITH (varve.tags = 'host')")
        connection.execute("CREATE TABLE devices (id text PRIMARY KEY, site text)")
        connection.execute(
            "INSERT INTO cpu SELECT timestamptz '2024-01-01' + i * interval '1 second', 'h' || i % 5, i / 4.0, i FROM generate_series(0, 99) AS g(i)")
    classes = context.path("classes")
    subprocess.run(["javac", "-cp", DRIVER, "-d", classes, SOURCE], check=True, timeout=120)
    done = subprocess.run(
        ["java", "-cp", f"{DRIVER}:{classes}", "Client", f"jdbc:postgresql://127.0.0.1:{server.ports['postgres']}/varve?user=varve"],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expect(done.stdout.strip(), "done")
