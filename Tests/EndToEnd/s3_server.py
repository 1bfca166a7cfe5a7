"""S3 for the tests: moto's server as a process of its own, and a proxy in front of it that does what networks and
overloaded stores do."""

import http.client
import http.server
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from xml.sax.saxutils import escape

import boto3
import botocore.config


class Moto:
    """A process with these buckets."""

    def __init__(self, buckets=("bucket",), certificate=None):
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(here, "moto_process.py"), *(certificate or ())], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline())
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}"
        self.s3 = self.client("s3", certificate)
        for bucket in buckets:
            self.s3.create_bucket(Bucket=bucket)

    def client(self, service, certificate=None):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="test", verify=certificate[0] if certificate else None,
            config=botocore.config.Config(proxies={}))

    def keys(self, prefix="", bucket="bucket"):
        """Keys and lengths."""
        found = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                found[entry["Key"]] = entry["Size"]
        return found

    def uploads(self, bucket="bucket"):
        return self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])

    def user(self, policy):
        """Access key and secret of a user with this policy; from the next request on signatures and rights count."""
        iam = self.client("iam")
        iam.create_user(UserName="varve")
        iam.put_user_policy(UserName="varve", PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName="varve")["AccessKey"]
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", "/moto-api/reset-auth", body="0")
        assert connection.getresponse().status == 200
        return key["AccessKeyId"], key["SecretAccessKey"]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(30)
            self.process.stdout.close()


class Proxy:
    """Hands requests on. `fault(kind, matches, times)` has it do something else to the next ones that match.

    before-500, slow-down   it is not done, and the answer says so
    after-500               it is done, and the answer says that it is not
    lost                    it is done, and the answer never comes
    late                    it is done, and the answer comes after `delay` seconds
    reset                   it is done, and the connection is reset in the middle of the answer
    cut                     the answer's body ends early, and says that this is all of it
    flip                    a bit of the answer's body is another
    not-sent                the connection is reset before anything is done
    html                    a page instead of an answer
    stale                   a list as it was when `remember` was called
    gap                     a list without what ends with `00000002.backup`
    """

    def __init__(self, port, delay=3):
        self.port, self.delay = port, delay
        self.faults, self.seen, self.remembered = [], [], {}
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fault(self, kind, matches=".*", times=1):
        """`matches`: a regular expression for `METHOD path?query`."""
        with self.lock:
            self.faults.append([kind, re.compile(matches), times])

    def waiting(self):
        """Faults that nothing came to."""
        with self.lock:
            return [(kind, pattern.pattern, times) for kind, pattern, times in self.faults if times > 0]

    def count(self, matches):
        with self.lock:
            return sum(1 for line in self.seen if re.search(matches, line))

    def remember(self):
        """Lists are answered as now, for those that get the fault `stale`."""
        with self.lock:
            self.remembered = {"taking": True}

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # One request

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        line = f"{request.command} {request.path}"
        kind = None
        with self.lock:
            self.seen.append(line)
            for fault in self.faults:
                if fault[2] > 0 and fault[1].search(line):
                    fault[2] -= 1
                    kind = fault[0]
                    break
        if kind == "not-sent":
            return self.reset(request)
        if kind == "before-500":
            return self.answer(request, 500, error("InternalError"))
        if kind == "slow-down":
            return self.answer(request, 503, error("SlowDown"))
        if kind == "html":
            return self.answer(request, 200, b"<!DOCTYPE html><html><body>hello</body></html>", "text/html")
        try:
            status, headers, answer = self.hand_on(request, body)
        except OSError:
            # There is no store any more.
            return self.reset(request)
        if "list-type=2" in request.path and status == 200:
            with self.lock:
                if kind == "stale" and request.path in self.remembered:
                    answer = self.remembered[request.path]
                elif self.remembered.get("taking"):
                    self.remembered.setdefault(request.path, answer)
                if kind == "gap":
                    answer = b"".join(
                        piece for piece in re.split(rb"(<Contents>.*?</Contents>)", answer, flags=re.DOTALL)
                        if b"00000002.backup<" not in piece)
        if kind == "after-500":
            return self.answer(request, 500, error("InternalError"))
        if kind == "lost":
            time.sleep(self.delay)
            return self.reset(request)
        if kind == "late":
            time.sleep(self.delay)
        if kind == "flip" and answer:
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        if kind == "cut":
            answer = answer[:len(answer) // 2]
        request.send_response_only(status)
        for name, value in headers:
            request.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length")
        if request.command != "HEAD" or length is None:
            request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if kind == "reset":
            request.wfile.write(answer[:len(answer) // 2])
            request.wfile.flush()
            return self.reset(request)
        self.write(request, answer)

    def hand_on(self, request, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        kept = [
            (name, value) for name, value in answer.getheaders()
            if name.lower() not in ("connection", "transfer-encoding")
            and (name.lower() != "content-length" or request.command == "HEAD")]
        connection.close()
        return answer.status, kept, data

    def answer(self, request, status, body, kind="application/xml"):
        request.send_response_only(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            self.write(request, body)

    def write(self, request, body):
        try:
            request.wfile.write(body)
        except OSError:
            # Whoever asked waits no longer.
            request.close_connection = True

    def reset(self, request):
        request.close_connection = True
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closing with that sends a reset in place of an orderly end.
        request.connection.close()


def error(code):
    return f"<?xml version='1.0'?><Error><Code>{escape(code)}</Code><Message>a fault of the test</Message></Error>".encode()
