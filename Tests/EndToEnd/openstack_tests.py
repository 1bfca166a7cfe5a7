"""The archive and backups in OpenStack's object store, which speaks the S3 API in its own way: no conditional puts, and
lists, signatures and errors made by other people than moto's. `Tools/openstack` brings it and runs these; without it they
are skipped."""

import os
import shutil
import socket
import subprocess

import boto3
import botocore.config

from archive_tests import QUERIES, ROWS_PER_DAY, ask, fill, run, same
from s3_tests import without_aws
from support import Skipped, connect, expect, until

SERVERS = ["account", "container", "object", "proxy"]
KEYS = {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"}
PROXY = ["catch_errors", "gatekeeper", "cache", "listing_formats", "bulk", "s3api", "tempauth", "copy", "slo"]
FILTERS = {"cache": "memcache", "s3api": "s3api\nlocation = us-east-1", "tempauth": "tempauth\nuser_test_tester = testing .admin"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class ObjectStore:
    """One device with one copy of everything, on loopback, with a bucket."""

    def __init__(self, directory):
        if not shutil.which("swift-proxy-server"):
            raise Skipped("no swift-proxy-server; Tools/openstack brings it")
        self.directory, self.processes = directory, []
        os.makedirs(os.path.join(directory, "devices", "one"))
        ports = {name: free_port() for name in SERVERS}
        for name in SERVERS[:3]:
            builder = os.path.join(directory, name + ".builder")
            place = f"r1z1-127.0.0.1:{ports[name]}/one"
            for step in [["create", "4", "1", "1"], ["add", place, "1"], ["rebalance"]]:
                subprocess.run(["swift-ring-builder", builder, *step], check=True, capture_output=True)
            self.start(name, ports[name], f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n")
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{FILTERS.get(name, name)}\n" for name in PROXY)
        self.start(
            "proxy", ports["proxy"], f"[pipeline:main]\npipeline = {' '.join(PROXY)} proxy-server\n{filters}"
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n")
        self.endpoint = f"http://127.0.0.1:{ports['proxy']}"
        self.s3 = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"], config=botocore.config.Config(proxies={}))
        until(lambda: self.answers(ports["proxy"]))
        until(self.makes_bucket)

    def start(self, name, port, rest):
        path = os.path.join(self.directory, name + ".conf")
        with open(path, "w") as file:
            file.write(
                f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = root\nmount_check = false\n"
                f"swift_dir = {self.directory}\ndevices = {self.directory}/devices\nrecon_cache_path = {self.directory}\n{rest}")
        with open(os.path.join(self.directory, name + ".log"), "w") as log:
            self.processes.append(subprocess.Popen([f"swift-{name}-server", path], stdout=log, stderr=log))

    @staticmethod
    def answers(port):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    def makes_bucket(self):
        """The proxy may be up before the others are."""
        try:
            self.s3.create_bucket(Bucket="bucket")
            return True
        except botocore.exceptions.ClientError:
            return False

    def keys(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


def store(context):
    one = ObjectStore(context.path("objects"))
    context.closing(one)
    return one


def test_openstack_keeps_an_archive(context):
    objects = store(context)
    environment = without_aws(context, VARVE_S3_ENDPOINT=objects.endpoint, **KEYS)
    server = context.server(
        "--archive", "s3://bucket/archive", "--archive-cache", "0", "--page-cache", "0", environment=environment)
    fill(server)
    before = ask(server)
    with connect(server) as connection:
        (row,) = run(connection, "'cpu'", "'2024-01-05Z'")
        expect(row[2], 4 * ROWS_PER_DAY)
        same(server, before)
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN ANALYZE " + QUERIES[2]).fetchall())
        assert "Archive: 1 object" in plan, plan
        lines = server.lines()
        lines.send("cpu,host=a v=1 1704067200000000000\n")
        lines.sync()
        lines.close()
        before = ask(server)
        run(connection, "'cpu'", "'2024-01-05Z'")
        same(server, before)
        put_aside = [key for key in objects.keys("archive/") if key.endswith(".unneeded")]
        expect(len(put_aside), 1)
        run(connection, "'cpu'", "'2024-01-05Z'", "delete_unneeded => true")
        assert not any(key.endswith(".unneeded") for key in objects.keys("archive/")), "what is put aside is deleted"
    assert "does not heed If-Match" in server.read_log(), "that locks keep out less is told"
    expect(server.stop(), 0)
    output, _ = context.run(
        "archive", "verify", "--data", server.data, "--archive", "s3://bucket/archive", environment=environment)
    assert "all sound" in output, output
    wrong = {**environment, "AWS_SECRET_ACCESS_KEY": "other"}
    _, error = context.run(
        "archive", "verify", "--data", server.data, "--archive", "s3://bucket/archive", environment=wrong, code=1)
    assert "does not belong to the access key" in error and "hint: " in error.lower(), error


def test_openstack_keeps_backups_and_the_log(context):
    objects = store(context)
    environment = without_aws(context, VARVE_S3_ENDPOINT=objects.endpoint, **KEYS)
    server = context.server(
        "--backup-to", "s3://bucket/backups", "--ship-every", "100ms", environment=environment)
    fill(server, days=1)
    with connect(server) as connection:
        until(lambda: connection.execute("SELECT 1 FROM varve.jobs WHERE job = 'backup' AND runs > 0").fetchall())
        lines = server.lines()
        lines.send("cpu,host=late v=7 1704067200000000000\n")
        lines.sync()
        lines.close()
        until(lambda: any(key.endswith(".log") for key in objects.keys("backups/")))
    flags = ["--from", "s3://bucket/backups"]

    def restored(name):
        context.run("restore", *flags, "--data", context.path(name), environment=environment)
        return context.run("sql", "--data", context.path(name), "--format", "csv", "SELECT count(*) FROM cpu")[0].split()[1]

    until(lambda: restored(f"restored-{len(os.listdir(context.directory))}") == str(ROWS_PER_DAY + 1))
    server.kill()
    expect(restored("after"), str(ROWS_PER_DAY + 1))
    output, _ = context.run("backup", "verify", *flags, environment=environment)
    assert "all sound" in output, output
    context.run("backup", "--to", "s3://bucket/backups", "--data", server.data, environment=environment)
    output, _ = context.run("backup", "prune", "--keep", "1", *flags, environment=environment)
    assert output.startswith("removed "), output
    expect(restored("pruned"), str(ROWS_PER_DAY + 1))
