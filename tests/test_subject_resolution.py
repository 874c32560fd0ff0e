"""Whom a call is about, and which agent stands behind them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import (
    ConfigurationError,
    InvalidSubjectError,
    NoSubjectError,
    SubjectMismatchError,
)
from ai_memory_integrations.ports import Backend
from ai_memory_integrations.subjects import (
    MAX_SUBJECT_BYTES,
    Caller,
    SubjectDirectory,
    check_source,
    literal,
    resolve_subject,
    subject_id_of,
)
from ai_memory_integrations.types import BlockSpec

subjects = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100)
    .filter(lambda text: not text.isspace())
    .filter(lambda text: len(text.encode()) <= MAX_SUBJECT_BYTES)
)


@dataclass
class DataclassContext:
    user_id: str | None = None
    tenant: str = "acme"


@dataclass(slots=True)
class SlottedContext:
    user_id: str | None = None


class PydanticContext(BaseModel):
    user_id: str | None = None


class DictContext(TypedDict, total=False):
    user_id: str


class TupleContext(NamedTuple):
    user_id: str


class Colour(StrEnum):
    RED = "red"


class OldColour(str, Enum):  # noqa: UP042 - many applications have such ones
    RED = "red"


class Number(IntEnum):
    SEVEN = 7


class TestSubjectId:
    @given(subjects)
    def test_a_subject_is_kept_byte_for_byte(self, subject: str) -> None:
        assert subject_id_of(subject) == subject

    @pytest.mark.parametrize(
        "subject",
        ["user_sarah", "alice@example.com", "auth0|7", "project alpha", "a:b", "ai-memory-sdk", " x ", "Ünï", "a{b}"],
    )
    def test_ordinary_names_are_subjects(self, subject: str) -> None:
        assert subject_id_of(subject) == subject

    def test_different_bytes_are_different_subjects(self) -> None:
        assert len({subject_id_of(each) for each in ["é", "e\u0301", "Sarah", "sarah", "sarah "]}) == 5

    @pytest.mark.parametrize(
        ("value", "subject"),
        [
            (7, "7"),
            (-1, "-1"),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (Colour.RED, "red"),
            (OldColour.RED, "red"),
            (Number.SEVEN, "7"),
        ],
    )
    def test_numbers_uuids_and_enums_become_plain_text(self, value: Any, subject: str) -> None:
        assert subject_id_of(value) == subject
        assert type(subject_id_of(value)) is str

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("", "is empty"),
            (" \t\n", "is blank"),
            ("\u2003", "is blank"),
            ("a\x00b", r"control character U\+0000 at 1"),
            ("a\nb", r"control character U\+000A at 1"),
            ("\x7f", r"control character U\+007F at 0"),
            ("ab\x9f", r"control character U\+009F at 2"),
            ("a\ud800", r"lone surrogate U\+D800 at 1"),
            ("x" * 513, "is 513 bytes long"),
            ("é" * 257, "is 514 bytes long"),
            (True, "type bool is not a str, int or UUID"),
            (None, "type NoneType is not a str, int or UUID"),
            (1.5, "type float is not a str, int or UUID"),
            (b"sarah", "type bytes is not a str, int or UUID"),
            (["sarah"], "type list is not a str, int or UUID"),
        ],
    )
    def test_what_is_no_subject_is_refused_by_name(self, value: Any, reason: str) -> None:
        with pytest.raises(InvalidSubjectError, match=reason):
            subject_id_of(value)

    def test_a_number_too_long_to_print_is_refused(self) -> None:
        with pytest.raises(InvalidSubjectError, match="is too long"):
            subject_id_of(10**5_000)

    def test_the_longest_subjects_are_512_bytes(self) -> None:
        assert subject_id_of("é" * 256)
        assert subject_id_of("x" * 512)


class TestWhereASubjectComesFrom:
    def test_an_explicit_subject_wins_over_everything(self) -> None:
        found = resolve_subject("sarah", context={"user_id": "a"}, configurable={"user_id": "b"}, default="c")
        assert found == "sarah"

    def test_the_memorys_own_wins_over_what_callers_say(self) -> None:
        assert resolve_subject(None, context={"user_id": "a"}, default="user_{user_id}") == "user_a"
        assert resolve_subject(None, context={"user_id": "a"}, default="sarah") == "sarah"

    def test_without_one_context_comes_before_configurable_before_identity(self) -> None:
        both = {"context": {"user_id": "a"}, "configurable": {"subject_id": "b"}}
        assert resolve_subject(None, **both) == "a"  # type: ignore[arg-type]
        assert resolve_subject(None, context={}, configurable={"subject_id": "b"}) == "b"
        assert resolve_subject(None, identity="c") == "c"

    def test_in_one_place_subject_id_comes_before_the_users_id(self) -> None:
        everything = {"user_id": "u", "langgraph_user_id": "l", "subject_id": "s"}
        assert resolve_subject(None, configurable=everything) == "s"
        del everything["subject_id"]
        assert resolve_subject(None, configurable=everything) == "l"
        assert resolve_subject(None, context={"user_id": "u"}) == "u"

    @pytest.mark.parametrize(
        "context",
        [
            DataclassContext("sarah"),
            SlottedContext("sarah"),
            PydanticContext(user_id="sarah"),
            DictContext(user_id="sarah"),
            TupleContext("sarah"),
            SimpleNamespace(user_id="sarah"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_any_kind_of_context_can_name_the_user(self, context: object) -> None:
        assert resolve_subject(None, context=context) == "sarah"
        assert resolve_subject("user_{user_id}", context=context) == "user_sarah"

    def test_none_counts_as_absent(self) -> None:
        assert resolve_subject(None, context=DataclassContext(None), configurable={"user_id": "b"}) == "b"

    def test_numbers_and_uuids_are_accepted_everywhere(self) -> None:
        assert resolve_subject(7) == "7"
        assert resolve_subject(uuid.UUID(int=1)) == str(uuid.UUID(int=1))
        assert resolve_subject("u{user_id}", configurable={"user_id": 7}) == "u7"

    @pytest.mark.parametrize("value", ["", "  ", "a\nb", True, {"a": 1}])
    def test_a_bad_value_is_refused_and_never_becomes_a_shared_default(self, value: object) -> None:
        for subject in (None, "user_{user_id}"):
            with pytest.raises(InvalidSubjectError, match=r"\(user_id in configurable\)"):
                resolve_subject(subject, configurable={"user_id": value})


class TestNothingFound:
    def test_the_error_names_the_places_and_their_keys_but_no_value(self) -> None:
        with pytest.raises(NoSubjectError) as raised:
            resolve_subject(
                None,
                context=DataclassContext(None, tenant="secret-1"),
                configurable={"thread_id": "secret-2", "__pregel_task_id": "secret-3"},
            )
        assert raised.value.looked_in == {
            "context": "DataclassContext with tenant, user_id",
            "configurable": "keys thread_id",
            "authenticated identity": "none",
        }
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize(
        ("context", "described"),
        [
            (None, "none"),
            ({}, "empty"),
            ({"tenant": "a"}, "keys tenant"),
            (SlottedContext(), "SlottedContext with user_id"),
            (PydanticContext(), "PydanticContext with user_id"),
            (SimpleNamespace(tenant=1), "SimpleNamespace with tenant"),
            ("sarah", "str with no fields"),
        ],
    )
    def test_it_describes_what_was_there(self, context: object, described: str) -> None:
        with pytest.raises(NoSubjectError) as raised:
            resolve_subject(None, context=context)
        assert raised.value.looked_in["context"] == described

    def test_a_template_says_which_field_is_missing(self) -> None:
        with pytest.raises(NoSubjectError, match="the template needs 'customer'") as raised:
            resolve_subject("c_{customer}", configurable={"user_id": "a"}, identity="a")
        assert raised.value.needed == "customer"

    def test_a_callable_that_returns_none_is_named(self) -> None:
        def who(caller: Caller) -> Any:
            return None

        with pytest.raises(NoSubjectError, match=r"who: returned None"):
            resolve_subject(who)


class TestAuthenticatedIdentity:
    def test_a_caller_may_name_themselves(self) -> None:
        assert resolve_subject(None, context={"user_id": "alice"}, identity="alice") == "alice"
        assert resolve_subject("user_{user_id}", configurable={"user_id": "alice"}, identity="alice") == "user_alice"
        assert resolve_subject(None, configurable={"user_id": 7}, identity="7") == "7"

    @pytest.mark.parametrize("subject", [None, "user_{user_id}"])
    @pytest.mark.parametrize("place", ["context", "configurable"])
    def test_a_caller_may_not_name_anybody_else(self, place: str, subject: str | None) -> None:
        where: dict[str, Any] = {place: {"user_id": "bob"}}
        with pytest.raises(SubjectMismatchError, match=f"user_id in {place} names 'bob'"):
            resolve_subject(subject, **where, identity="alice")

    def test_a_template_does_not_let_a_caller_name_the_filled_result(self) -> None:
        with pytest.raises(SubjectMismatchError):
            resolve_subject("user_{user_id}", configurable={"user_id": "user_alice"}, identity="alice")

    def test_no_field_of_a_template_is_exempt(self) -> None:
        with pytest.raises(SubjectMismatchError):
            resolve_subject("{org}/{user_id}", configurable={"org": "other", "user_id": "alice"}, identity="alice")

    def test_the_identity_fills_a_template(self) -> None:
        for field in ("user_id", "langgraph_user_id", "subject_id"):
            assert resolve_subject(f"user_{{{field}}}", identity="alice") == "user_alice"

    def test_only_the_applications_own_word_may_name_another(self) -> None:
        assert resolve_subject("team", identity="alice") == "team"
        assert resolve_subject(None, default="team", identity="alice") == "team"
        assert (
            resolve_subject(lambda caller: f"of {caller.configurable['for']}", configurable={"for": "bob"}) == "of bob"
        )

    def test_an_empty_identity_is_nobody(self) -> None:
        with pytest.raises(InvalidSubjectError, match="authenticated identity"):
            resolve_subject(None, identity="")
        with pytest.raises(SubjectMismatchError):
            resolve_subject(None, configurable={"user_id": "bob"}, identity="")


class TestCallables:
    def test_a_callable_gets_all_there_is_to_know(self) -> None:
        seen: list[Caller] = []

        def who(caller: Caller) -> int:
            seen.append(caller)
            return 7

        context, configurable = DataclassContext(), {"thread_id": "1"}
        assert resolve_subject(who, context=context, configurable=configurable, identity="alice") == "7"
        assert seen == [Caller(context, configurable, "alice")]

    def test_what_it_returns_is_checked(self) -> None:
        with pytest.raises(InvalidSubjectError):
            resolve_subject(lambda caller: "")

    def test_an_async_function_is_refused(self) -> None:
        async def who(caller: Caller) -> str:
            return "sarah"

        with pytest.raises(ConfigurationError, match=r"who is an async function; pass a plain one"):
            resolve_subject(who)  # type: ignore[arg-type]


class TestTemplates:
    @given(subjects, subjects.map(literal))
    def test_values_are_put_in_verbatim(self, value: str, prefix: str) -> None:
        if len((prefix + value).encode()) <= MAX_SUBJECT_BYTES:
            found = resolve_subject(prefix + "{user_id}", configurable={"user_id": value})
            assert found == prefix.replace("{{", "{").replace("}}", "}") + value

    @given(subjects)
    def test_a_literal_stands_for_itself(self, subject: str) -> None:
        assert resolve_subject(literal(subject)) == subject

    @given(subjects, subjects)
    def test_a_value_is_never_taken_for_a_template(self, value: str, other: str) -> None:
        configurable = {"user_id": "{other}" + value[:50], "other": other}
        assert resolve_subject("{user_id}", configurable=configurable) == configurable["user_id"]

    def test_several_fields_are_filled_each_from_its_own_place(self) -> None:
        found = resolve_subject(
            "{tenant}/{user_id}/{tenant}", context=DataclassContext(None), configurable={"user_id": 7, "tenant": "no"}
        )
        assert found == "acme/7/acme"

    @pytest.mark.parametrize("template", ["a{b", "a}b", "{", "}", "{user_id", "{a{b}}"])
    def test_a_malformed_template_is_refused(self, template: str) -> None:
        with pytest.raises(ConfigurationError, match="template"):
            check_source(template)

    @pytest.mark.parametrize(
        "template",
        [
            "{}",
            "{0}",
            "{user_id.__class__}",
            "{user_id[0]}",
            "{user_id!r}",
            "{user_id:>10}",
            "{__class__}",
            "{_private}",
            "{user id}",
        ],
    )
    def test_a_field_is_a_plain_name_and_nothing_more(self, template: str) -> None:
        for refuse in (check_source, resolve_subject):
            with pytest.raises(ConfigurationError, match="a field is a plain name such as"):
                refuse(template)

    @pytest.mark.parametrize("source", ["sarah", "user_{user_id}", "a{{b}}", 7, uuid.UUID(int=1), lambda caller: "x"])
    def test_what_can_be_resolved_is_let_through_as_it_is(self, source: Any) -> None:
        assert check_source(source) is source

    @pytest.mark.parametrize("source", ["", "{{\n}}", True, 1.5])
    def test_a_constant_that_is_no_subject_is_refused_at_once(self, source: Any) -> None:
        with pytest.raises(InvalidSubjectError):
            check_source(source)

    def test_the_result_as_a_whole_is_checked(self) -> None:
        with pytest.raises(InvalidSubjectError, match="is 513 bytes long"):
            resolve_subject("u{user_id}", configurable={"user_id": "x" * 512})


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    store = SQLiteStore(str(tmp_path / "memory.db"))
    yield store.backend
    store.close()


class TestSubjectDirectory:
    def test_reading_creates_nothing_and_an_unknown_subject_is_not_remembered(self, backend: Backend) -> None:
        directory = SubjectDirectory(backend)
        assert directory.agent_id("sarah") is None
        subject, created = backend.create_subject("sarah")
        assert created
        assert directory.agent_id("sarah") == subject.agent_id

    def test_a_subject_is_made_once_with_its_blocks(self, backend: Backend) -> None:
        directory = SubjectDirectory(backend)
        blocks: Sequence[BlockSpec] = [BlockSpec(label="human")]
        subject, created = directory.get_or_create("sarah", blocks)
        assert created
        assert directory.get_or_create("sarah", blocks) == (subject, False)
        assert SubjectDirectory(backend).get_or_create("sarah", blocks) == (subject, False)
        assert [block.label for block in backend.list_blocks("sarah")] == ["human"]

    def test_concurrent_first_use_makes_one_agent(self, backend: Backend) -> None:
        directories = [SubjectDirectory(backend) for _ in range(2)]
        barrier = threading.Barrier(8)
        found: list[tuple[str, bool]] = []

        def use(n: int) -> None:
            barrier.wait()
            subject, created = directories[n % 2].get_or_create("sarah", ())
            found.append((subject.agent_id, created))

        threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({agent for agent, _ in found}) == 1
        assert sum(created for _, created in found) == 1

    def test_a_deleted_subject_that_is_forgotten_begins_again(self, backend: Backend) -> None:
        directory = SubjectDirectory(backend)
        first, _ = directory.get_or_create("sarah", ())
        backend.delete_subject("sarah")
        directory.forget("sarah")
        assert directory.agent_id("sarah") is None
        second, created = directory.get_or_create("sarah", ())
        assert created
        assert second.agent_id != first.agent_id

    def test_what_is_known_is_not_asked_for_again(self, tmp_path: Path) -> None:
        store = SQLiteStore(str(tmp_path / "memory.db"))
        directory = SubjectDirectory(store.backend)
        agent = directory.get_or_create("sarah", ())[0].agent_id
        store.close()
        assert directory.agent_id("sarah") == agent

    def test_it_remembers_the_last_that_were_used(self, backend: Backend) -> None:
        directory = SubjectDirectory(backend, size=2)
        for subject in ("a", "b"):
            directory.get_or_create(subject, ())
        directory.agent_id("a")
        directory.get_or_create("c", ())
        for subject in ("a", "b", "c"):
            backend.delete_subject(subject)
        assert [directory.agent_id(subject) is not None for subject in ("a", "b", "c")] == [True, False, True]

    def test_a_child_process_asks_anew(self, backend: Backend) -> None:
        directory = SubjectDirectory(backend)
        directory.get_or_create("sarah", ())
        backend.delete_subject("sarah")
        directory.reset_after_fork()
        assert directory.agent_id("sarah") is None
