"""The receiver of all subjects: nginx, which answers every request with 204, on a core of its own.

It keeps connections open without a limit of requests, and logs no requests. It also speaks TLS, with a
certificate of an authority that only the subjects trust.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from scripts.scenarios.processes import free_ports
from tests.tls import Authority

from ..install import NGINX, program
from ..process import PeerFailed

_CONFIG = """
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ return 204; }}
  }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@attrs.frozen
class Sink:
    url: str
    tls_url: str
    ca_file: str


@contextlib.contextmanager
def sink(directory: Path, pinned: list[str]) -> Iterator[Sink]:
    """A running sink. `pinned`: the command prefix that puts it on its core."""
    authority = Authority(directory)
    certificate, key = authority.issue("127.0.0.1")
    port = free_ports(2)
    tls_port = port + 1
    temporary = " ".join(f"{name}_temp_path {directory}/{name};" for name in _TEMPORARY)
    config = directory / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            temporary=temporary,
            port=port,
            tls_port=tls_port,
            certificate=certificate,
            key=key,
        )
    )
    command = [program(NGINX), "-e", str(directory / "nginx.log"), "-c", str(config), "-g", "daemon off;"]
    process = subprocess.Popen([*pinned, *command])
    try:
        _until_listening(process, directory)
        yield Sink(
            f"http://127.0.0.1:{port}/hook", f"https://127.0.0.1:{tls_port}/hook", str(directory / "ca.pem")
        )
    finally:
        process.terminate()
        process.wait()


def _until_listening(process: "subprocess.Popen[bytes]", directory: Path) -> None:
    """Wait for the pid file, which nginx writes once it listens."""
    while not (directory / "nginx.pid").exists():
        if process.poll() is not None:
            log = (directory / "nginx.log").read_text()
            raise PeerFailed(f"nginx has ended: {log[-1000:]}")
        time.sleep(0.02)
