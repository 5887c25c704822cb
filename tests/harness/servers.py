"""Finds, starts and stops the servers that the harnesses talk to.

Names: `ochre` is $OCHRE_SERVER (default target/release/ochre-server); `redis7`, `redis8` and
`valkey9` come from tests/peers. Anything else is taken as a command line of its own.
Ports are drawn from $OCHRE_TEST_PORTS (default 21000-29999).
"""

import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[2]
PEERS = ("redis7", "redis8", "valkey9")


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR") or PROJECT / "target")


def peers_dir():
    return Path(os.environ.get("OCHRE_PEERS_DIR") or PROJECT / "target" / "peers")


def bring(*names):
    """Makes sure the named peers (or `suite`) are there."""
    missing = [n for n in names if not (peers_dir() / _mark(n)).exists()]
    if missing:
        subprocess.run([PROJECT / "tests" / "peers", *missing], check=True)


def _mark(name):
    return "redis-7.0/tests/test_helper.tcl" if name == "suite" else f"bin/{name}-server"


def command(name):
    """The command line of a server's name."""
    if name in PEERS:
        bring(name)
        return [str(peers_dir() / "bin" / f"{name}-server")]
    if name == "ochre":
        name = os.environ.get("OCHRE_SERVER") or str(target() / "release" / "ochre-server")
    words = shlex.split(name)
    found = shutil.which(words[0])
    if not found:
        sys.exit(f"{words[0]} is not there: build it (cargo build --release) or set OCHRE_SERVER")
    return [str(Path(found).absolute()), *words[1:]]


def tool(kind, peer="redis7"):
    """`redis-cli` or `redis-benchmark`: the machine's own, else the peer's."""
    installed = shutil.which(f"redis-{kind}")
    if installed:
        return installed
    bring(peer)
    return str(peers_dir() / "bin" / f"{peer}-{kind}")


def free_port():
    low, high = map(int, os.environ.get("OCHRE_TEST_PORTS", "21000-29999").split("-"))
    while True:
        port = random.randint(low, high)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """A running server in a directory of its own; `with Server("redis8") as s: s.port`."""

    def __init__(self, name, *args, conf="", prefix=(), save=False):
        self.name = name
        self.port = free_port()
        self.dir = Path(tempfile.mkdtemp(prefix="ochre-test-"))
        self.log = self.dir / "log"
        lines = ["" if save else 'save ""', f"port {self.port}", "bind 127.0.0.1", f"dir {self.dir}", conf, ""]
        (self.dir / "server.conf").write_text("\n".join(lines))
        line = [*prefix, *command(name), str(self.dir / "server.conf"), *map(str, args)]
        started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, start_new_session=True
            )
        self._wait()
        self.started_in = time.monotonic() - started

    def _wait(self, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.settimeout(5)
                    s.sendall(b"PING\r\n")
                    if s.recv(1) in (b"+", b"-"):
                        return
            except OSError:
                pass
            time.sleep(0.001)
        text = self.log.read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{text[-2000:]}")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
