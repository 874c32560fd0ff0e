"""A real Letta server for tests: its own environment, PostgreSQL and models, all on free ports of this machine.

Processes that test together share one: `shared(folder)` starts a keeper when there is none in that folder. Everybody
who uses the server holds a connection to the keeper, which stops everything when the last of them has closed. A killed
process closes its connections too, so nothing outlives the tests. `running()` is a server of one's own, to kill.

`AI_MEMORY_LETTA_URL` names a server that is there already, `AI_MEMORY_LETTA_TESTS=off` means none.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from ports import free_port

TESTS = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
ENVIRONMENT = TESTS.parent / ".venv-letta"
INSTALL_SECONDS, START_SECONDS = 1200.0, 300.0
JOIN_SECONDS = 120.0  # within which somebody must have joined, else who asked for the server is gone
PYTHONS = ((3, 11), (3, 13))
MODEL, EMBEDDING = "openai/gpt-4.1", "openai/text-embedding-3-small"


class NotHereError(Exception):
    """No Letta server can be had on this machine; the text says why."""


class NotStartedError(Exception):
    """It is installed and did not start; the text ends with what it said."""


@dataclass(frozen=True)
class Place:
    """Where a server answers, where it logs, and its database; of a server that was there before, only the first."""

    url: str
    log: Path | None = None
    database: str | None = None

    def said(self, characters: int = 4000) -> str:
        """The end of its log."""
        return _end_of(self.log, characters) if self.log else ""

    def tables_with(self, text: str) -> list[str]:
        """The tables of its database that hold *text* somewhere, by name."""
        import psycopg
        from psycopg.sql import SQL, Identifier

        assert self.database is not None
        with psycopg.connect(self.database) as connection:
            listed = "select table_name from information_schema.tables where table_schema = 'public' order by 1"
            tables = [name for (name,) in connection.execute(listed).fetchall()]
            query = SQL("select exists (select from {} as row where strpos(row::text, %s) > 0)")
            asked = [(name, connection.execute(query.format(Identifier(name)), [text]).fetchone()) for name in tables]
        return [name for name, found in asked if found and found[0]]


# sharing one


@contextmanager
def shared(folder: Path) -> Iterator[Place]:
    """The server of everybody who names this *folder*. Raises: NotHereError, NotStartedError."""
    _check_that_it_is_wanted()
    if given := os.environ.get("AI_MEMORY_LETTA_URL"):
        yield Place(given.rstrip("/"))
        return
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with _locked(folder / "lock"):
            place, hold = _join(folder) or _found(folder)
            held.callback(hold.close)
        yield place


def _join(folder: Path) -> tuple[Place, socket.socket] | None:
    """None when nobody keeps a server there."""
    state = _read(folder / "state.json")
    if state is None:
        return None
    if "not here" in state:
        raise NotHereError(state["not here"])
    if "not started" in state:
        raise NotStartedError(state["not started"])
    try:
        hold = socket.create_connection(("127.0.0.1", state["door"]), timeout=10)
    except OSError:
        return None
    return Place(state["url"], folder / "letta.log", state["database"]), hold


def _found(folder: Path) -> tuple[Place, socket.socket]:
    """Start a keeper and join it."""
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    try:
        install()
    except NotHereError as error:
        _write(state, {"not here": str(error)})  # the others need not try again
        raise
    with (folder / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "letta.server", str(folder)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests: the keeper sees their connections close
        )
    Thread(target=keeper.wait, daemon=True).start()  # it may end in this process's time, and is then reaped
    deadline = time.monotonic() + START_SECONDS + JOIN_SECONDS
    while not state.exists() and keeper.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    joined = _join(folder)
    if joined is None:
        keeper.kill()
        said = f"the keeper ended with {keeper.wait()}: {_end_of(folder / 'keeper.log')}"
        _write(state, {"not started": said})
        raise NotStartedError(said)
    return joined


def keep(folder: Path) -> None:
    """Serve until everybody who joined has gone."""
    state = folder / "state.json"
    with socket.create_server(("127.0.0.1", 0)) as door:
        try:
            with running(folder) as server:
                known = {"url": server.url, "database": server.database, "door": door.getsockname()[1]}
                _write(state, known)
                _until_all_have_gone(door, folder)
        except (NotHereError, NotStartedError) as error:
            kind = "not here" if isinstance(error, NotHereError) else "not started"
            _write(state, {kind: str(error)})


def _until_all_have_gone(door: socket.socket, folder: Path) -> None:
    """Returns with the door closed and the state gone: who comes from then on founds anew."""
    inside: set[socket.socket] = set()

    def attend(guest: socket.socket) -> None:
        guest.settimeout(None)
        try:
            guest.recv(1)  # guests say nothing: this returns when they have gone
        except OSError:
            pass
        inside.discard(guest)
        guest.close()

    def let_in(seconds: float) -> bool:
        door.settimeout(seconds)
        try:
            guest, _ = door.accept()
        except (TimeoutError, BlockingIOError):
            return False
        inside.add(guest)
        Thread(target=attend, args=(guest,), daemon=True).start()
        return True

    let_in(JOIN_SECONDS)
    while True:
        while inside:
            let_in(0.2)
        with _locked(folder / "lock"):  # guests come under it, so that none is on the way
            if not let_in(0):
                (folder / "state.json").unlink(missing_ok=True)
                door.close()
                return


# one of one's own


class Server:
    """Letta, with its database and models beside it; `kill` and `start` keep those, and the port."""

    def __init__(
        self, folder: Path, python: Path, settings: Mapping[str, str], database: str, *, secure: bool = False
    ) -> None:
        self.port, self.log, self.database = free_port(), folder / "letta.log", database
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self._python, self._settings, self._secure = folder, python, dict(settings), secure
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises: NotStartedError."""
        script = Path(__file__).with_name("serve.py")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._python, "-P", script, str(self.port), *(["--secure"] if self._secure else [])],
                env=self._settings,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(self.url):
            if self._process.poll() is not None:
                raise NotStartedError(f"Letta ended with {self._process.returncode}:\n{_end_of(self.log)}")
            if time.monotonic() > deadline:
                self.kill()
                raise NotStartedError(f"Letta did not answer for {START_SECONDS:g} s:\n{_end_of(self.log)}")
            time.sleep(0.1)

    def kill(self) -> None:
        """At once, in the middle of whatever it does, like `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None


@contextmanager
def running(folder: Path, *, secure: bool = False, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that nobody else uses, its data gone with it; *more* are settings of its environment.

    Raises: NotHereError, NotStartedError.
    """
    from letta import stub_model
    from postgres_server import NoServerError
    from postgres_server import running as database_running

    _check_that_it_is_wanted()
    python = install()
    with ExitStack() as held:
        try:
            database = held.enter_context(database_running())
        except NoServerError as error:
            raise NotHereError(f"Letta needs PostgreSQL: {error}") from error
        model = held.enter_context(stub_model.serving())
        settings = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "LETTA_PG_URI": f"{database.url()}?sslmode=disable",
            "LETTA_DISABLE_SQLALCHEMY_POOLING": "false",  # a connection for every statement is four times slower
            "LETTA_DISABLE_TRACING": "true",
            "LETTA_TRACK_PROVIDER_TRACE": "false",  # what it asked the models would outlive the agent
            "LETTA_DEFAULT_LLM_HANDLE": MODEL,
            "LETTA_DEFAULT_EMBEDDING_HANDLE": EMBEDDING,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": model.url,  # gives openai/text-embedding-3-small, but openai-proxy/gpt-4.1
            "VLLM_API_BASE": model.url,
            "VLLM_HANDLE_BASE": "openai",  # gives openai/gpt-4.1, the name that Letta's cloud has for it
            **(more or {}),
        }
        server = Server(folder, python, settings, database.url(), secure=secure)
        held.callback(server.kill)
        server.start()
        yield server


def _check_that_it_is_wanted() -> None:
    if os.environ.get("AI_MEMORY_LETTA_TESTS", "").lower() in ("off", "0", "no"):
        raise NotHereError(f"AI_MEMORY_LETTA_TESTS={os.environ['AI_MEMORY_LETTA_TESTS']}")


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/health/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


# its environment


def prepare() -> None:
    """Install it ahead of the tests. When it cannot be had they say so."""
    with suppress(NotHereError):
        _check_that_it_is_wanted()
        if "AI_MEMORY_LETTA_URL" not in os.environ:
            install()


def install() -> Path:
    """The Python that has the server, made when it is not there yet: a minute or two, and the network.

    Raises: NotHereError.
    """
    if os.name != "posix":
        raise NotHereError("the tests start Letta on POSIX systems only")
    folder = Path(os.environ.get("AI_MEMORY_LETTA_VENV") or ENVIRONMENT)
    folder.mkdir(parents=True, exist_ok=True)
    python, stamp, wanted = folder / "bin" / "python", folder / "installed.txt", REQUIREMENTS.read_text("utf-8")
    with _locked(folder / "lock"):
        if stamp.exists() and stamp.read_text("utf-8") == wanted:
            return python
        uv = shutil.which("uv")
        low, high = PYTHONS
        fits = low <= sys.version_info[:2] <= high
        if not fits and not uv:
            raise NotHereError(f"Letta runs on Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, or with uv beside it")
        base = getattr(sys, "_base_executable", sys.executable) if fits else f"{high[0]}.{high[1]}"
        made = [uv, "venv", "-q", "--allow-existing", "--python", base] if uv else [base, "-m", "venv"]
        pip = [uv, "pip", "install", "-q", "-p", python] if uv else [python, "-m", "pip", "install", "-qq"]
        print(f"Installing Letta's server into {folder} (this once)", file=sys.__stderr__, flush=True)
        for command in ([*made, folder], [*pip, "--no-deps", "-r", REQUIREMENTS]):
            _run(command)
        stamp.write_text(wanted, "utf-8")
    return python


def _run(command: list[Any]) -> None:
    """Raises: NotHereError with the last words of what failed."""
    try:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHereError(f"Letta cannot be installed: {error}") from error
    if done.returncode:
        raise NotHereError(f"Letta cannot be installed: {(done.stderr or done.stdout).strip()[-600:]}")


# files and ports


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl  # POSIX only, as the server is

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end_of(log: Path, characters: int = 4000) -> str:
    return log.read_text("utf-8", "replace")[-characters:] if log.exists() else ""


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _write(path: Path, state: dict[str, Any]) -> None:
    """As a whole: whoever looks sees the old or the new."""
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(state), "utf-8")
    whole.replace(path)


if __name__ == "__main__":
    keep(Path(sys.argv[1])) if sys.argv[1:] else prepare()
