"""Backups in a bucket: over a real S3 server, with what networks and stores do in between, and with what users get wrong."""

import json
import re
import subprocess
import time

from backup_tests import SHIPPING, jobs, rows, summary
from s3_server import Moto, Proxy
from support import connect, expect, expect_error, psql, until

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "a/secret+that=is-never-shown"}
URL = "s3://bucket/some/prefix"


def without_aws(context, **variables):
    """An environment in which nothing but `variables` says anything of S3."""
    return {"HOME": context.directory, **variables}


def moto(context, **options):
    server = Moto(**options)
    context.closing(server)
    return server


def proxy(context, server, **options):
    one = Proxy(server.port, **options)
    context.closing(one)
    return one


def filled(context, count=20_000, flags=(), **options):
    server = context.server(*flags, **options)
    lines = server.lines()
    lines.send(rows("a", 0, count))
    lines.sync()
    lines.close()
    return server


def count_of(context, data):
    return context.run("sql", "--data", data, "--format", "csv", "SELECT count(*) FROM cpu")[0].split()[1]


def test_backups_go_to_a_bucket_and_come_back(context):
    store = moto(context)
    environment = without_aws(context, **KEYS)
    flags = ["--s3-endpoint", store.endpoint, "--s3-region", "eu-west-1"]
    server = filled(
        context, flags=["--compaction", "off"], environment={**environment, "VARVE_S3_ENDPOINT": store.endpoint})
    first = summary(context.run("backup", "--to", URL, "--connect", server.url)[0])
    psql(server, "CALL flush()")
    for number in [2, 3]:
        again = connect(server).execute(f"CALL backup('{URL}')").fetchone()
        expect((str(again[0]), int(again[1])), (first["store"], number))
    assert int(again[5]) < int(again[4]), again
    expect(server.stop(), 0)
    last = summary(context.run("backup", "--to", URL, "--data", server.data, *flags, environment=environment)[0])
    expect((first["number"], last["number"]), (1, 4))
    keys = store.keys()
    assert keys and all(key.startswith("some/prefix/" + first["store"] + "/") for key in keys), keys
    listed, _ = context.run("backup", "list", "--from", URL, *flags, environment=environment)
    expect([line.split()[1] for line in listed.splitlines()], ["backup", "1", "2", "3", "4"])
    for number in ["1", "2", "3", "4"]:
        output, _ = context.run("backup", "verify", "--from", URL, "--id", number, *flags, environment=environment)
        assert "20000 rows" in output and "all sound" in output, output
    output, _ = context.run("backup", "prune", "--keep", "1", "--from", URL, *flags, environment=environment)
    assert output.startswith("removed 3 backups and ") and output.endswith("; kept 4\n"), output
    assert len(store.keys()) < len(keys)
    context.run("restore", "--from", URL, "--data", context.path("restored"), *flags, environment=environment)
    expect(count_of(context, context.path("restored")), "20000")


def test_settings_of_s3_are_shown_without_secrets(context):
    environment = without_aws(context, AWS_ENDPOINT_URL="http://127.0.0.1:9", VARVE_S3_PATH_STYLE="yes", **KEYS)
    output, error = context.run("serve", "--print-config", "--s3-region", "eu-west-3", environment=environment)
    assert 's3-endpoint = "http://127.0.0.1:9"  # AWS_ENDPOINT_URL' in output, output
    assert 's3-region = "eu-west-3"  # --s3-region' in output, output
    assert "s3-path-style = true  # VARVE_S3_PATH_STYLE" in output, output
    assert 's3-timeout = "30s"  # default' in output, output
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in output + error
    again, _ = context.run(
        "serve", "--print-config", "--config", context.write("varve.toml", output), environment=without_aws(context))
    assert "varve.toml" in again and 's3-endpoint = "http://127.0.0.1:9"' in again, again
    _, error = context.run("backup", "--to", URL, "--connect", "postgres://127.0.0.1:1", "--s3-path-style", code=64)
    assert "varve serve" in error, error


def test_faults_of_network_and_store_are_gone_through(context):
    store = moto(context)
    network = proxy(context, store)
    environment = without_aws(context, **KEYS)
    flags = ["--s3-endpoint", network.endpoint, "--s3-timeout", "1s"]
    server = filled(context)
    expect(server.stop(), 0)
    faults = ["before-500", "slow-down", "after-500", "lost", "late", "reset", "not-sent"]
    for fault in faults:
        url = f"{URL}/{fault}"
        network.fault(fault, "^PUT .*(log|series|chunk)$")
        network.fault(fault, "^GET .*list-type")
        network.fault(fault, "^PUT .*lock$")
        network.fault(fault, "^PUT .*backup$")
        network.fault(fault, "^GET .*lock$")
        context.run("backup", "--to", url, "--data", server.data, *flags, environment=environment)
        expect(network.waiting(), [])
        for kind, matches in [(fault, "^GET .*log$"), (fault, "^HEAD "), ("cut", "^GET .*series$"), ("flip", "^GET .*log$")]:
            network.fault(kind, matches)
        data = context.path(f"restored-{fault}")
        context.run("restore", "--from", url, "--data", data, *flags, environment=environment)
        expect(network.waiting(), [])
        expect(count_of(context, data), "20000")
    context.run("import", "--data", server.data, context.write("more.lp", rows("b", 0, 100)))
    summary(context.run("backup", "--to", url, "--data", server.data, *flags, environment=environment)[0])
    network.fault("reset", "^(DELETE|POST .*delete)")
    network.fault("after-500", "^GET .*uploads")
    output, _ = context.run("backup", "prune", "--keep", "1", "--from", url, *flags, environment=environment)
    assert output.startswith("removed 1 backups"), output
    expect(network.waiting(), [])
    output, _ = context.run("backup", "verify", "--from", url, *flags, environment=environment)
    assert "all sound" in output, output


def test_what_was_shipped_to_a_bucket_survives_a_kill(context):
    store = moto(context)
    network = proxy(context, store)
    environment = without_aws(context, **KEYS)
    flags = ["--s3-endpoint", network.endpoint]
    server = context.server(
        "--backup-to", URL, *SHIPPING, *flags, "--s3-timeout", "1s", environment=environment)
    until(lambda: "backup" in jobs(server) and jobs(server)["backup"][0] == 1)
    lines, connection = server.lines(), connect(server)
    # Of each step: its commit, the rows there are then, and a moment before the next one.
    known = []

    def write(count=500):
        total = known[-1][1] if known else 0
        lines.send(rows("a", total, count))
        _, _, sequence, _ = lines.sync()
        known.append((sequence, total + count, connection.execute("SELECT now()::text").fetchone()[0]))

    def is_shipped():
        return jobs(server)["log shipping"][3] == 0

    for fault in ["before-500", "slow-down", "after-500", "lost", "reset", "not-sent"]:
        network.fault(fault, "^PUT .*log$")
        write()
        until(lambda: network.waiting() == [] and is_shipped(), 60)
    # It stays away for longer than a call is tried again: rounds fail, and the log is kept.
    network.fault("slow-down", "^PUT .*log$", times=1000)
    write()
    psql(server, "CALL flush()")
    write()
    until(lambda: jobs(server)["log shipping"][1] > 0, 60)
    assert "SlowDown" in jobs(server)["log shipping"][2], jobs(server)
    network.faults.clear()
    until(is_shipped, 60)
    write()
    until(is_shipped, 60)
    shipped = list(known)
    # What is acknowledged while nothing gets there is lost with the machine, and nothing else.
    network.fault("not-sent", "^PUT .*log$", times=1000)
    write()
    server.kill()
    network.faults.clear()
    # Some of those that went through faults, and those that were kept.
    for number in [1, 3, 6, 7]:
        (_, total, moment), data = shipped[number], context.path(f"at-{number}")
        context.run("restore", "--from", URL, "--to-time", moment, "--data", data, *flags, environment=environment)
        expect(count_of(context, data), str(total))
    for refused in [["--to-time", known[-1][2]], ["--to-sequence", str(known[-1][0])]]:
        _, error = context.run(
            "restore", "--from", URL, *refused, "--data", context.path("never"), *flags, environment=environment, code=1)
        assert "no backup is as new" in error and f"reaches commit {shipped[-1][0]}" in error, error
    output, _ = context.run(
        "restore", "--from", URL, "--data", context.path("all"), *flags, environment=environment)
    assert f"commit {shipped[-1][0]}," in output, (output, shipped[-1])
    expect(count_of(context, context.path("all")), str(shipped[-1][1]))


def test_a_store_that_stays_away_is_named_and_nothing_is_lost(context):
    store = moto(context)
    network = proxy(context, store)
    environment = without_aws(context, **KEYS)
    flags = ["--s3-endpoint", network.endpoint, "--s3-timeout", "1s"]
    server = filled(context, environment={**environment, "VARVE_S3_ENDPOINT": network.endpoint})
    network.fault("slow-down", "^PUT .*backup$", times=100)
    error = expect_error("58000", lambda: connect(server).execute(f"CALL backup('{URL}')"))
    assert "SlowDown" in str(error) and "6 times" in str(error), error
    listed, _ = context.run("backup", "list", "--from", URL, *flags, environment=environment)
    expect(len(listed.splitlines()), 1)
    network.faults.clear()
    network.fault("flip", "^GET .*log$", times=100)
    context.run("backup", "--to", URL, "--connect", server.url)
    output, _ = context.run("backup", "verify", "--from", URL, *flags, environment=environment, code=1)
    assert output.startswith(f"DAMAGED {URL}/") and ".log" in output, output
    network.faults.clear()
    output, _ = context.run("backup", "verify", "--from", URL, *flags, environment=environment)
    assert "all sound" in output, output
    # The store's own copy is cut, which it cannot know.
    key = next(key for key in store.keys() if key.endswith(".series"))
    body = store.s3.get_object(Bucket="bucket", Key=key)["Body"].read()
    store.s3.put_object(Bucket="bucket", Key=key, Body=body[:-1])
    output, _ = context.run("backup", "verify", "--from", URL, *flags, environment=environment, code=1)
    assert f"s3://bucket/{key}" in output and "bytes instead of" in output, output
    store.close()
    _, error = context.run("backup", "list", "--from", URL, *flags, environment=environment, code=1)
    assert "did not answer" in error or "cannot be reached" in error, error
    network.close()
    _, error = context.run("backup", "list", "--from", URL, *flags, environment=environment, code=1)
    assert "cannot be reached, 6 times" in error and "--s3-endpoint" in error, error
    expect(connect(server).execute("SELECT count(*) FROM cpu").fetchone()[0], 20_000)


def test_a_list_that_is_behind_does_no_harm(context):
    store = moto(context)
    network = proxy(context, store)
    environment = without_aws(context, **KEYS)
    flags = ["--s3-endpoint", network.endpoint]
    server = filled(context, count=500)
    expect(server.stop(), 0)

    def backup():
        return summary(context.run("backup", "--to", URL, "--data", server.data, *flags, environment=environment)[0])

    def prune(keep):
        return context.run(
            "backup", "prune", "--keep", str(keep), "--from", URL, *flags, environment=environment)[0]

    backup()
    network.remember()
    context.run("backup", "list", "--from", URL, *flags, environment=environment)
    first = backup()
    # The list does not have the second yet: the third takes no number that is taken.
    network.fault("stale", "list-type", times=1000)
    third = backup()
    expect((first["number"], third["number"]), (2, 3))
    network.faults.clear()
    for kind in ["none", "gap"]:
        network.fault(kind, "list-type.*backups", times=1)
        listed, _ = context.run("backup", "list", "--from", URL, *flags, environment=environment)
        expect([line.split()[1] for line in listed.splitlines()], ["backup", "1", "2", "3"])
    expect(network.waiting(), [])
    # The list still has what is deleted.
    network.remember()
    context.run("backup", "list", "--from", URL, *flags, environment=environment)
    prune(1)
    network.fault("stale", "list-type", times=1000)
    expect(backup()["number"], 4)
    listed, _ = context.run("backup", "list", "--from", URL, *flags, environment=environment)
    assert "4" in [line.split()[1] for line in listed.splitlines()], listed
    output = prune(3)
    network.faults.clear()
    for _ in range(2):
        output, _ = context.run("backup", "verify", "--from", URL, *flags, environment=environment)
        assert "backup 4" in output and "all sound" in output, output
        output = prune(2)
    assert output.endswith("kept 3, 4\n"), output


def test_what_is_wrong_with_access_is_said(context):
    store = moto(context, buckets=("bucket", "other"))
    server = filled(context, count=10)
    expect(server.stop(), 0)

    def refused(url=URL, endpoint=None, flags=(), **variables):
        _, error = context.run(
            "backup", "--to", url, "--data", server.data, "--s3-endpoint", endpoint or store.endpoint, *flags,
            environment=without_aws(context, **variables), code=1)
        assert "hint: " in error and not any(secret in error for name, secret in variables.items() if "SECRET" in name)
        return error

    assert "no credentials for S3" in refused()
    assert "AWS_SECRET_ACCESS_KEY is not" in refused(AWS_ACCESS_KEY_ID="x")
    assert 'no bucket "missing"' in refused("s3://missing/x", **KEYS)
    assert "names no bucket" in refused("s3:///x", **KEYS)
    assert "neither http nor https" in refused(endpoint="ftp://x", **KEYS)
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}]}
    key, secret = store.user(json.dumps(policy))
    assert "does not know this access key" in refused(**KEYS)
    wrong = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret[:-1] + "x"}
    assert "does not belong to the access key" in refused(**wrong)
    right = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    assert "no right to" in refused("s3://other/x", **right)
    # With the right ones every request's signature is checked, from a file as from variables.
    context.write("credentials", f"[mine]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    profile = without_aws(context, AWS_SHARED_CREDENTIALS_FILE=context.path("credentials"), AWS_PROFILE="mine")
    for environment in [without_aws(context, **right), profile]:
        for command in [
                ["backup", "--to", URL, "--data", server.data], ["backup", "list", "--from", URL],
                ["backup", "verify", "--from", URL], ["backup", "prune", "--keep", "1", "--from", URL]]:
            context.run(*command, "--s3-endpoint", store.endpoint, environment=environment)
    assert "no credentials" in refused(AWS_SHARED_CREDENTIALS_FILE=context.path("credentials"), AWS_PROFILE="not-mine")


def test_pages_in_place_of_a_store_are_told(context):
    store = moto(context)
    network = proxy(context, store)
    environment = without_aws(context, **KEYS)
    network.fault("html", ".*", times=1000)
    _, error = context.run(
        "backup", "list", "--from", URL, "--s3-endpoint", network.endpoint, environment=environment, code=1)
    assert "no list of objects" in error, error
    server = filled(context, count=10)
    _, error = context.run(
        "backup", "list", "--from", URL, "--s3-endpoint", server.http(""), environment=environment, code=1)
    assert "hint: " in error and ("does not answer as an S3 store" in error or "no such bucket" in error), error


def test_a_lock_of_somebody_else_is_waited_out(context):
    store = moto(context)
    environment = without_aws(context, **KEYS)
    server = filled(context, count=10)
    expect(server.stop(), 0)
    command = ["backup", "--to", URL, "--data", server.data, "--s3-endpoint", store.endpoint]
    one = summary(context.run(*command, environment=environment)[0])
    key = f"some/prefix/{one['store']}/backup.lock"
    lock = store.s3.get_object(Bucket="bucket", Key=key)["Body"].read().decode()
    assert lock.startswith("varve lock 1\nowner ") and lock.endswith("\nreleased\n"), lock

    def held(seconds):
        text = f"varve lock 1\nowner {'0' * 32}\nrenewal 0\nseconds {seconds}\nheld\n"
        store.s3.put_object(Bucket="bucket", Key=key, Body=text.encode())

    held(60)
    for refused in [command, ["backup", "prune", "--keep", "1", "--from", URL, "--s3-endpoint", store.endpoint]]:
        _, error = context.run(*refused, environment=environment, code=1)
        assert "taken or pruned by somebody else" in error and re.search("free in [1-6][0-9] s", error), error
    held(1)
    time.sleep(3)
    expect(summary(context.run(*command, environment=environment)[0])["number"], 2)


def test_tls_is_spoken_and_checked(context):
    certificate = (context.path("certificate.pem"), context.path("key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-out", certificate[0], "-keyout", certificate[1]],
        check=True, capture_output=True)
    store = moto(context, certificate=certificate)
    server = filled(context, count=10)
    expect(server.stop(), 0)
    command = ["backup", "--to", URL, "--data", server.data, "--s3-endpoint", store.endpoint]
    _, error = context.run(*command, environment=without_aws(context, **KEYS), code=1)
    assert "is not trusted" in error and "AWS_CA_BUNDLE" in error, error
    environment = without_aws(context, AWS_CA_BUNDLE=certificate[0], **KEYS)
    expect(summary(context.run(*command, environment=environment)[0])["number"], 1)
    context.run(
        "restore", "--from", URL, "--data", context.path("restored"), "--s3-endpoint", store.endpoint,
        environment=environment)
    expect(count_of(context, context.path("restored")), "10")
