"""Real servers that get what we send: nginx, Apache and Node.js, each one process on a free port with
a configuration of its own, set to take whatever it can be told to take. Each tells in X-Told the
request line it read and in X-Peer the port of the connection it came on.
"""

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from balancer import END_TIMEOUT_S, START_TIMEOUT_S, free_port, wait_until

NODE_SERVER = Path(__file__).resolve().parent / "oracle" / "node_server.js"
PLACES = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
APACHE_MODULES = "/usr/lib/apache2/modules"

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 1000000; keepalive_timeout 1h;
    large_client_header_buffers 4 64k; client_max_body_size 0; merge_slashes off;
    ignore_invalid_headers off; underscores_in_headers on;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        add_header X-Told $request always;
        add_header X-Peer $remote_port always;
        location / {{ return 200; }}
    }}
}}
"""

APACHE = """
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
ServerName localhost
Listen 127.0.0.1:{port}
User nobody
Group nogroup
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule headers_module {modules}/mod_headers.so
StartServers 1
ServerLimit 1
MaxRequestWorkers 25
KeepAliveTimeout 3600
MaxKeepAliveRequests 0
Timeout 3600
LimitRequestLine 65536
LimitRequestFieldSize 65536
LimitRequestFields 0
LimitRequestBody 0
AllowEncodedSlashes NoDecode
Redirect 200 /
Header always set X-Told "expr=%{{THE_REQUEST}}"
Header always set X-Peer "expr=%{{REMOTE_PORT}}"
"""


class Origin:
    """A server that runs until end(). .address as config_for() wants it."""

    def __init__(self, folder, program, name):
        self.binary = shutil.which(program, path=PLACES)
        if not self.binary:
            pytest.skip(f"{name} is not installed")
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.output = folder / "output"
        self.complaints = folder / "complaints"
        with open(self.output, "wb") as output, open(self.complaints, "wb") as complaints:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=complaints,
                cwd=folder, start_new_session=True,
            )  # fmt: skip
        wait_until(self.listens, START_TIMEOUT_S, f"{name} listens")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        raise NotImplementedError

    def write(self, text):
        path = self.folder / "configuration"
        path.write_text(
            text.format(folder=self.folder, port=self.port, modules=APACHE_MODULES), "utf-8"
        )
        return str(path)

    def listens(self):
        assert self.process.poll() is None, self.complaints.read_text(errors="replace")
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def news(self):
        """What it said since the last call, where it does."""
        return []

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Origin):
    def __init__(self, folder):
        super().__init__(folder, "nginx", "nginx")

    def command(self):
        return [self.binary, "-p", str(self.folder), "-c", self.write(NGINX)]


class Apache(Origin):
    def __init__(self, folder):
        super().__init__(folder, "apache2", "Apache")

    def command(self):
        return [self.binary, "-D", "FOREGROUND", "-f", self.write(APACHE)]


class Node(Origin):
    def __init__(self, folder):
        self.read_bytes = 0  # of its output
        super().__init__(folder, "node", "Node.js")

    def command(self):
        return [self.binary, str(NODE_SERVER), str(self.port)]

    def listens(self):
        """By its word, so that the first connection is a test's."""
        assert self.process.poll() is None, self.complaints.read_text(errors="replace")
        return b'"port"' in self.output.read_bytes()

    def news(self):
        """What it said of requests and errors since the last call, in order."""
        with open(self.output, "rb") as output:
            output.seek(self.read_bytes)
            data = output.read()
        data = data[: data.rfind(b"\n") + 1]
        self.read_bytes += len(data)
        said = [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]
        return [what for what in said if "port" not in what]
