"""What `make bench` measures: the balancers, each set up as its own users would and started."""

import os
import re
import resource
import shutil
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 20
END_TIMEOUT_S = 10
FILES_WANTED = 65536
FILES_RESERVED = 300  # of a balancer, for other things than connections

HAPROXY = """
global
    maxconn {connections}
    nbthread {workers}
    no log
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    maxconn {connections}
frontend in
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    balance roundrobin
{servers}
"""

# With its own buffer sizes nginx puts 16 KiB of a request into a file and passes an answer on in
# pieces of 4 KiB: three times as slow as this.
NGINX = """
user root;
worker_processes {workers};
worker_rlimit_nofile {files};
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections {files}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
    upstream replicas {{
{servers}
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096{reuse};
        client_max_body_size 16m;
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 16k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 256k;
            client_body_buffer_size 128k;
        }}
    }}
}}
"""

ROOST = """
log: {{ access: {log} }}
limits: {{ connections: {connections} }}
services:
  - name: web
    replicas:
      driver: static
      addresses:
{servers}
    health: {{ path: /heartbeat, interval: 5s, timeout: 2s, fall: 3 }}
"""


def files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections():
    """As many as there are descriptors for: each may need one to a replica."""
    return (files() - FILES_RESERVED) // 2


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def answers(port):
    """Whether a request to the port is answered 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /150 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


class Placing:
    """Which processor does what. With one alone everything shares it."""

    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        self.all = set(cores)
        self.balancer = {cores[-1]}
        self.others = set(cores[:-1]) or self.all


class Balancer:
    """One of them, running. Subclasses say how it is started and which processes carry traffic."""

    name = ""
    version = ""

    def __init__(self, folder, port, replica_ports, workers, cores):
        self.folder = Path(folder) / f"{self.name}-{port}"
        self.folder.mkdir()
        self.port = port
        self.replica_ports = replica_ports
        self.workers = workers
        self.cores = cores
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=open(self.folder / "output", "wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            cwd=self.folder,
        )

    def wait(self):
        end = time.monotonic() + START_TIMEOUT_S
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(
                    f"{self.name} does not serve:\n{(self.folder / 'output').read_text()}"
                )
            time.sleep(0.05)
        for pid in self.pids():
            os.sched_setaffinity(pid, self.cores)

    def command(self):
        raise NotImplementedError

    def pids(self):
        return [self.process.pid]

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Floor(Balancer):
    name = "floor"
    version = "bench/forward.c"

    def command(self):
        ports = self.replica_ports
        program = str(ROOT / "build" / "bench" / "forward")
        return [program, str(self.port), str(ports[0]), str(len(ports))]


class HAProxy(Balancer):
    name = "haproxy"

    def command(self):
        servers = "\n".join(f"    server s{p} 127.0.0.1:{p}" for p in self.replica_ports)
        text = HAPROXY.format(
            connections=connections(), workers=self.workers, port=self.port, servers=servers
        )
        return ["/usr/sbin/haproxy", "-db", "-q", "-f", self.write("haproxy.cfg", text)]


class Nginx(Balancer):
    name = "nginx"

    def command(self):
        servers = "\n".join(f"        server 127.0.0.1:{p};" for p in self.replica_ports)
        text = NGINX.format(
            workers=self.workers,
            port=self.port,
            servers=servers,
            folder=self.folder,
            files=files(),
            reuse=" reuseport" if self.workers > 1 else "",
        )
        config = self.write("nginx.conf", text)
        return ["/usr/sbin/nginx", "-p", str(self.folder), "-c", config, "-g", "daemon off;"]

    def pids(self):
        return children(self.process.pid)


class Roost(Balancer):
    name = "roost"
    access_log = "off"
    binary = Path(os.environ.get("ROOST", ROOT / "build" / "roost")).resolve()

    def command(self):
        servers = "\n".join(f'        r{p}: "127.0.0.1:{p}"' for p in self.replica_ports)
        text = ROOST.format(servers=servers, log=self.access_log, connections=connections())
        return [
            str(self.binary), "serve", "-c", self.write("roost.yaml", text),
            "--state", str(self.folder / "state"), "--workers", str(self.workers),
            "--listen", f"127.0.0.1:{self.port}",
            "--control-listen", f"127.0.0.1:{self.port + 1}",
        ]  # fmt: skip

    def pids(self):
        return children(self.process.pid)


class RoostWithLog(Roost):
    name = "roost-log"
    access_log = "access.log"


class Other(Roost):
    """Another build of roost, to compare two: OTHER=path/to/roost PEERS=roost,other."""

    name = "other"
    binary = Path(os.environ.get("OTHER", "")).resolve()


KINDS = {kind.name: kind for kind in (Floor, HAProxy, Nginx, Roost, RoostWithLog, Other)}


def version_of(name, binary=None):
    command = {
        "haproxy": ["/usr/sbin/haproxy", "-v"],
        "nginx": ["/usr/sbin/nginx", "-v"],
        "roost": [str(Roost.binary), "--version"],
    }.get(name)
    if not command:
        return ""
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"\d+\.\d+[\w.+~-]*", done.stdout + done.stderr)
    return found.group(0) if found else ""
