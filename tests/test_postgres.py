"""What is PostgreSQL's own: URLs and passwords, outages, strangers' tables, locks, and what a deletion leaves."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import postgres_server
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.postgres.address import Address
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.cli.doctor import examine
from ai_memory_integrations.errors import (
    BackendError,
    BackendUnavailableError,
    NewerSchemaError,
    NotAStoreError,
    UnknownURLError,
)
from ai_memory_integrations.moving import move_subjects
from ai_memory_integrations.opened import place_of, reopened
from ai_memory_integrations.ports import EmbedderRecord, ItemPut, ItemQuery, ItemRanking, Store
from ai_memory_integrations.types import BlockSpec, Passage, PassageQuery

SECRET = "s3cr3t"
RECORD = EmbedderRecord("letters", 2)


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with closing(open_store(postgres_url)) as store:
        yield store


# URLs


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://ann:{SECRET}@DB:5433/memory", "postgresql://ann@db:5433/memory"),
        (f"postgres://ann:{SECRET}@db/memory?sslmode=require", "postgresql://ann@db/memory"),
        (f"postgresql://db/memory?user=ann&password={SECRET}", "postgresql://db/memory?user=ann"),
        (
            f"postgresql://ann:{SECRET}@db1:1,db2:2/m?schema=team&connections=3",
            "postgresql://ann@db1:1,db2:2/m?schema=team",
        ),
        ("postgresql:///memory?host=/run/postgresql&prepared=off", "postgresql:///memory?host=/run/postgresql"),
    ],
)
def test_a_url_is_shown_without_its_password_and_alike_for_one_place(url: str, shown: str) -> None:
    address = Address.of(url)
    assert address.shown == shown
    assert SECRET not in address.without_secret
    assert Address.of(address.without_secret).shown == shown
    assert (SECRET in address.conninfo) == (SECRET in url)
    for ours in ("schema=", "connections=", "prepared="):
        assert ours not in address.conninfo


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"postgresql://ann:{SECRET}/x@db/memory", "%2F"),
        (f"postgresql://ann:{SECRET}#x@db/memory", "%23"),
        (f"postgresql://ann:{SECRET}@db/memory?schema=Team;drop", "plain name"),
        (f"postgresql://ann:{SECRET}@db/memory?connections=none", "number"),
        (f"postgresql://ann:{SECRET}@db/memory?prepared=maybe", "on or off"),
        (f"postgresql+psycopg://ann:{SECRET}@db/memory", "no backend for 'postgresql\\+psycopg'"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_showing_the_password(url: str, reason: str) -> None:
    with pytest.raises(UnknownURLError, match=reason) as refused:
        Memory(url)
    assert SECRET not in str(refused.value)


def test_the_password_shows_nowhere(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Memory(postgres_url, subject_id="sarah") as memory:
        memory.add_messages([{"role": "user", "content": "My name is Sarah."}])
        shown = [repr(memory), memory.url, place_of(memory).model_dump_json()]
        shown += [finding.text for finding in examine(postgres_url)]
        assert reopened(place_of(memory)) is memory
    assert not [text for text in [*shown, caplog.text] if postgres_server.PASSWORD in text]


def test_options_that_are_not_ours_reach_the_server(postgres_url: str) -> None:
    with Memory(f"{postgres_url}&application_name=the-application") as memory:
        with memory._core.store.database.read() as session:  # type: ignore[attr-defined]
            assert session.value("SHOW application_name") == "the-application"


# set-up


def test_many_who_begin_a_place_together_make_it_once(new_postgres_url: Callable[[], str]) -> None:
    url = new_postgres_url()

    def begin(number: int) -> str:
        with closing(open_store(url)) as store:
            return store.backend.create_subject("sarah")[0].agent_id

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(begin, range(6)))) == 1


def test_tables_of_another_application_are_left_as_they_are(
    new_postgres_url: Callable[[], str], postgres_connection: Any
) -> None:
    for table in ("meta(a INT)", "meta(key TEXT, value TEXT)", "message(a INT)"):
        url = new_postgres_url()
        schema = Address.of(url).schema
        postgres_connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table}")
        with closing(open_store(url)) as store, pytest.raises(NotAStoreError, match="another application"):
            store.backend.list_subjects()
        tables = postgres_connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", (schema,)
        ).fetchone()
        assert tables == (1,)


def test_tables_of_a_newer_release_are_left_as_they_are(
    new_postgres_url: Callable[[], str], postgres_connection: Any
) -> None:
    url = new_postgres_url()
    with closing(open_store(url)) as store:
        store.backend.list_subjects()
    schema = Address.of(url).schema
    postgres_connection.execute(f"UPDATE {schema}.meta SET value = '999' WHERE key = 'schema_version'")
    with closing(open_store(url)) as store, pytest.raises(NewerSchemaError, match="schema version 999"):
        store.backend.list_subjects()


def test_schemas_are_memories_of_their_own(new_postgres_url: Callable[[], str]) -> None:
    with Memory(new_postgres_url()) as one, Memory(new_postgres_url()) as other:
        one.initialize_subject("sarah")
        assert [subject.subject_id for subject in one.list_subjects()] == ["sarah"]
        assert other.list_subjects() == []


def test_a_schema_made_by_an_administrator_is_enough(
    new_postgres_url: Callable[[], str], postgres_connection: Any
) -> None:
    url = new_postgres_url()
    schema = Address.of(url).schema
    postgres_connection.execute(
        "CREATE ROLE plain LOGIN PASSWORD 'plain'; REVOKE CREATE ON DATABASE postgres FROM plain"
    )
    plain = url.replace(f"{postgres_server.USER}:{postgres_server.PASSWORD}@", "plain:plain@")
    with (
        closing(open_store(plain)) as store,
        pytest.raises(BackendError, match=f"CREATE SCHEMA {schema} AUTHORIZATION"),
    ):
        store.backend.list_subjects()
    postgres_connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION plain")
    with closing(open_store(plain)) as store:
        assert store.backend.create_subject("sarah")[1]
        receipt = store.backend.delete_subject("sarah")
    assert receipt is not None
    assert receipt.kept
    postgres_connection.execute(f"DROP SCHEMA {schema} CASCADE; DROP ROLE plain")


@pytest.mark.parametrize(
    ("old", "new", "remedy"),
    [
        (postgres_server.PASSWORD, "wrong", "Check the user and the password"),
        ("/postgres?", "/nowhere?", "createdb"),
        ("@127.0.0.1:", "@127.0.0.1:1/postgres?port=", "See whether the server runs"),
    ],
)
def test_what_cannot_be_connected_to_is_said_with_the_remedy(
    postgres_url: str, old: str, new: str, remedy: str
) -> None:
    url = postgres_url.replace(old, new)
    if remedy.startswith("See"):
        url = url.partition("?")[0]
    with closing(open_store(url)) as store, pytest.raises(BackendError, match=remedy) as refused:
        store.backend.list_subjects()
    assert postgres_server.PASSWORD not in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_a_closed_memory_says_so(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.backend.list_subjects()
    store.close()
    store.close()
    with pytest.raises(BackendError, match="closed"):
        store.backend.list_subjects()


# outages


def test_a_memory_goes_on_when_the_server_is_back() -> None:
    try:
        running = postgres_server.running()
        server = running.__enter__()
    except postgres_server.NoServerError as error:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        with Memory(server.url(), subject_id="sarah", learning="off") as memory:
            memory.add_messages([{"role": "user", "content": "before"}])
            server.stop()
            for _ in range(2):
                with pytest.raises(BackendUnavailableError, match="See whether the server runs") as away:
                    memory.add_messages([{"role": "user", "content": "lost"}])
                assert postgres_server.PASSWORD not in str(away.value)
            server.start()
            memory.add_messages([{"role": "user", "content": "after"}])
            server.stop()
            server.start()  # the idle connections are dead, and nobody has noticed yet
            assert [message.text for message in memory.list_messages()] == ["before", "after"]
            (finding,) = [each for each in examine(server.url()) if each.name == "server"]
            assert finding.text.startswith("PostgreSQL 16")
            server.stop()
            (finding,) = [each for each in examine(server.url()) if each.name == "server"]
            assert finding.level == "problem"
    finally:
        running.__exit__(None, None, None)


def test_a_connection_lost_in_a_transaction_undoes_it(store: Store, postgres_connection: Any) -> None:
    store.backend.create_subject("sarah", [BlockSpec(label="human")])

    def write_and_be_cut_off() -> None:
        with store.journal.transaction():
            store.backend.write_block("sarah", "human", "half")
            with store.database.read() as session:  # type: ignore[attr-defined]
                pid = session.value("SELECT pg_backend_pid()")
            postgres_connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            store.backend.write_block("sarah", "human", "done")

    with pytest.raises(BackendUnavailableError):
        write_and_be_cut_off()
    assert [block.value for block in store.backend.list_blocks("sarah")] == [""]


# locks and connections


def test_one_connection_serves_many_threads(postgres_url: str) -> None:
    with Memory(f"{postgres_url}&connections=1", learning="off") as memory:
        memory.initialize_user_memory("sarah")

        def work(number: int) -> None:
            memory.append_memory("human", f"line {number}", subject_id="sarah")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(24)))
        lines = (memory.get_user_memory("sarah") or "").splitlines()
    assert sorted(lines) == sorted(f"line {number}" for number in range(24))


def test_what_is_read_in_a_transaction_stays_true_until_its_end(postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as one, closing(open_store(postgres_url)) as other:
        one.backend.create_subject("sarah", [BlockSpec(label="human", value="1")])
        began = threading.Event()

        def count(store: Store) -> None:
            with store.journal.transaction():
                block = store.backend.get_block("sarah", "human")
                assert block is not None
                began.set()
                store.backend.write_block("sarah", "human", str(int(block.value) + 1))

        def count_often(store: Store) -> None:
            for _ in range(20):
                count(store)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(count_often, (one, other)))
        block = one.backend.get_block("sarah", "human")
    assert block is not None
    assert block.value == "41"


def test_a_call_that_was_undone_to_end_a_deadlock_is_made_again(store: Store, postgres_connection: Any) -> None:
    for subject in ("ann", "bob"):
        store.backend.create_subject(subject, [BlockSpec(label="human")])
    has_bob, go_on = threading.Event(), threading.Event()

    def backwards() -> str:
        try:
            with store.journal.transaction():
                store.backend.write_block("bob", "human", "by the transaction")
                has_bob.set()
                assert go_on.wait(PATIENCE)
                store.backend.write_block("ann", "human", "by the transaction")
        except BackendUnavailableError as error:
            return str(error)
        return "done"

    def all_of_them() -> object:
        assert has_bob.wait(PATIENCE)
        return store.vectors.adopt(RECORD, replace=True)  # type: ignore[union-attr]

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(backwards), threads.submit(all_of_them)
        wait_until_somebody_waits(postgres_connection)
        go_on.set()  # who has Ann waits for Bob: now it goes round
        assert other.result() == RECORD
        assert one.result() == "done" or "Repeat the transaction" in one.result()


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_while_waiting_for_a_lock_leaves_nothing_behind(postgres_url: str, postgres_connection: Any) -> None:
    with closing(open_store(postgres_url)) as mine, closing(open_store(postgres_url)) as theirs:
        mine.backend.create_subject("sarah", [BlockSpec(label="human")])
        held, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with theirs.journal.transaction():
                theirs.backend.write_block("sarah", "human", "theirs")
                held.set()
                assert let_go.wait(PATIENCE)

        def interrupt() -> None:
            wait_until_somebody_waits(postgres_connection)
            os.kill(os.getpid(), signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with ThreadPoolExecutor(2) as pool:
                holding = pool.submit(hold)
                assert held.wait(PATIENCE)
                interrupting = pool.submit(interrupt)
                with pytest.raises(KeyboardInterrupt):
                    mine.backend.write_block("sarah", "human", "mine")
                interrupting.result()
                let_go.set()
                holding.result()
        finally:
            signal.signal(signal.SIGINT, before)
            let_go.set()
        assert not mine.journal.in_transaction
        assert mine.backend.write_block("sarah", "human", "mine", expected_version=2).version == 3


def wait_until_somebody_waits(connection: Any) -> None:
    """Until a statement waits for a subject."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE'"
    deadline = time.monotonic() + PATIENCE
    while connection.execute(waits).fetchone() is None:
        assert time.monotonic() < deadline


# texts


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\x1a01"), max_size=20))
def test_every_text_is_kept_exactly(store: Store, text: str) -> None:
    store.backend.create_subject("sarah", [BlockSpec(label="human", limit=100)])
    assert store.backend.write_block("sarah", "human", text).value == text
    (passage_id,) = store.backend.add_passages("sarah", [Passage(text=text, tags=(text,), metadata={text: text})])
    found = store.backend.get_passage("sarah", passage_id)
    assert found is not None
    assert (found.text, found.tags, found.metadata) == (text, (text,), {text: text})
    block = store.backend.get_block("sarah", "human")
    assert block is not None
    assert block.value == text
    assert [each.id for each in store.backend.list_passages("sarah", tags=[text])] == [passage_id]
    store.backend.delete_passages("sarah", [passage_id])
    store.items.put_items([ItemPut((text.replace("\0", "") or "x",), text, {"field": text})])
    (row,) = [row for row, _ in store.items.find_items(ItemQuery(accept=lambda value: value == {"field": text}))]
    assert row.key == text
    store.items.put_items([ItemPut(row.namespace, row.key, None)])


# search


def test_both_databases_rank_alike(postgres_url: str) -> None:
    texts = [
        "I adopted two kittens in May, Miso and Mochi.",
        "My sister Joana lives in Porto.",
        "The kittens sleep on the piano.",
        "I play the piano every evening.",
        "We drove to Porto and saw the river.",
        "Miso was ill last week.",
    ]
    passages = [Passage(text=text, role="user", thread_id="t", name="Sarah") for text in texts]
    queries = ["Where do the kittens sleep?", "Porto", "Who is ill?", "piano evening", "unheard"]
    found = []
    with closing(open_store(":memory:")) as file, closing(open_store(postgres_url)) as server:
        for store in (file, server):
            store.backend.create_subject("sarah")
            store.backend.add_passages("sarah", passages)
            found.append([store.backend.search_passages("sarah", PassageQuery(text=query)) for query in queries])
            assert store.backend.speakers("sarah") == ("Sarah",)
    assert found[0] == found[1]
    assert found[0][0][0].text == texts[2]


def test_a_snapshot_hears_of_what_other_processes_write_and_delete(postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as here, closing(open_store(postgres_url)) as elsewhere:

        def texts() -> list[str]:
            return [each.text for each in here.backend.search_passages("sarah", PassageQuery(text="cats"))]

        def keys() -> list[str]:
            query = ItemQuery(("n",), ranking=ItemRanking(text="cats"))
            return [row.key for row, score in here.items.find_items(query) if score]

        from ai_memory_integrations.search.text import terms_of

        assert (texts(), keys()) == ([], [])
        for _ in range(2):
            elsewhere.backend.create_subject("sarah")
            (passage_id,) = elsewhere.backend.add_passages("sarah", [Passage(text="cats")])
            elsewhere.items.put_items([ItemPut(("n",), "k", {"x": "cats"}, terms=terms_of("cats"))])
            assert (texts(), keys()) == (["cats"], ["k"])
            elsewhere.backend.delete_passages("sarah", [passage_id])
            elsewhere.items.put_items([ItemPut(("n",), "k", None)])
            assert (texts(), keys()) == ([], [])
            elsewhere.backend.delete_subject("sarah")
            assert texts() == []


def test_what_is_written_anew_all_the_time_is_found_all_the_time(postgres_url: str) -> None:
    from ai_memory_integrations.search.text import terms_of

    passage, stop = Passage(text="cats 0"), threading.Event()
    with closing(open_store(postgres_url)) as here, closing(open_store(postgres_url)) as elsewhere:
        here.backend.create_subject("sarah")

        def write(number: int) -> None:
            text = f"cats {number}"
            elsewhere.backend.add_passages("sarah", [passage.model_copy(update={"text": text})])
            elsewhere.items.put_items([ItemPut(("n",), "k", {"x": text}, terms=terms_of(text))])

        def write_on() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                write(number)

        write(0)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write_on)
            try:
                for _ in range(200):
                    assert len(here.backend.search_passages("sarah", PassageQuery(text="cats"))) == 1
                    ranking = ItemRanking(text="cats")
                    assert len(here.items.find_items(ItemQuery(("n",), ranking=ranking))) == 1
                    assert len(here.items.find_items(ItemQuery(("n",)))) == 1
            finally:
                stop.set()
            writing.result()


def test_vectors_are_written_behind_and_made_anew_for_another_embedder(postgres_url: str) -> None:
    class Letters:
        def __init__(self, name: str, letters: str) -> None:
            self.name, self.dimension, self._letters = name, len(letters), letters

        def __call__(self, texts: Any) -> list[list[float]]:
            return [[float(text.count(letter)) for letter in self._letters] for text in texts]

    with Memory(postgres_url, subject_id="sarah", embedder=Letters("one", "abc"), learning="off") as memory:
        memory.add_passages(["aaa", "bbb", "ccc"])
        assert memory.drain(PATIENCE)
        assert memory.stats().embedding == 0
        assert memory.search("b", limit=1) == ["bbb"]
    with Memory(postgres_url, subject_id="sarah", embedder=Letters("two", "cba9"), learning="off") as memory:
        memory.reindex()
        assert memory.drain(PATIENCE)
        record = memory._core.store.vectors.embedder()  # type: ignore[union-attr]
        assert record is not None
        assert (record.name, memory.stats().embedding) == ("two", 0)
        assert memory.search("c", limit=1) == ["ccc"]


# moving and deleting


def test_a_subject_moves_from_a_file_to_a_server_and_back(postgres_url: str) -> None:
    with Memory(":memory:") as file, Memory(postgres_url) as server, Memory(":memory:") as back:
        file.add_messages("sarah", [{"role": "user", "content": "My name is Sarah. I live in Lisbon.\0"}])
        file.flush("sarah")
        file.add_passages([{"text": "She has two cats", "tags": ["pets"]}], subject_id="sarah")
        for source, target in ((file, server), (server, back)):
            (moved,) = move_subjects(source, target)
            assert (moved.state, moved.error) == ("moved", None)
        records = [memory._core.store.transfer.read("sarah") for memory in (file, server, back)]
    assert records[0] == records[1] == records[2]
    assert records[0] is not None
    assert records[0].passages


def test_a_deleted_subject_is_in_no_table_and_the_receipt_says_what_the_server_keeps(
    postgres_url: str, postgres_connection: Any
) -> None:
    with Memory(postgres_url) as memory:
        for subject in ("sarah", "bob"):
            memory.add_messages(subject, [{"role": "user", "content": f"I am {subject} zebrafish."}])
            memory.flush(subject)
            memory._core.store.notes.put(subject, "note", {"of": subject})
        receipt = memory.delete_subject("sarah")
    assert receipt is not None
    assert receipt.complete
    assert any("write-ahead log" in kept for kept in receipt.kept)
    tables = [
        name for (name,) in postgres_connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'shared'")
    ]
    whole = {table: str(postgres_connection.execute(f"SELECT * FROM shared.{table}").fetchall()) for table in tables}
    assert [table for table, text in whole.items() if "sarah" in text.lower()] == []
    assert "bob zebrafish" in whole["message"]
