"""The contract of `ports.Backend`: inherit `BackendContract` and give it a `store`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from ai_memory_integrations.errors import (
    BlockLimitError,
    BlockNotFoundError,
    SubjectNotFoundError,
    VersionConflictError,
)
from ai_memory_integrations.ports import Backend, Change, Store
from ai_memory_integrations.types import BlockSpec, Passage, PassageQuery

HUMAN = BlockSpec(label="human", description="Details about the user.", limit=100)
HARD_TEXTS = ["é 🐈 ' \" %s :x", "line\nbreak\ttab", "<b>&amp;</b>", "naïve\u0000nul", "ｆｕｌｌ", "a" * 50_000]
HARD_SUBJECTS = ["a@b.com", "a:b", "ai-memory-sdk", "Ä", "a%", "a_", "auth0|7", "project alpha", " ", "A", "a", "ＡＡ"]


class BackendContract:
    """Tests of what every backend promises. Override `store`; it begins empty."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("give the contract a `store` fixture")

    @pytest.fixture
    def backend(self, store: Store) -> Backend:
        return store.backend

    # subjects

    def test_an_unknown_subject_is_empty_and_is_not_made_by_reading(self, backend: Backend) -> None:
        assert backend.get_subject("sarah") is None
        assert backend.list_blocks("sarah") == []
        assert backend.get_block("sarah", "human") is None
        assert backend.block_history("sarah", "human") == []
        assert backend.list_passages("sarah") == []
        assert backend.search_passages("sarah", PassageQuery(text="cats")) == []
        assert backend.get_passage("sarah", "psg_1") is None
        assert backend.delete_passages("sarah", ["psg_1"]) == 0
        assert backend.delete_block("sarah", "human") is False
        assert backend.delete_subject("sarah") is None
        assert backend.list_subjects() == []

    def test_writing_to_an_unknown_subject_is_refused(self, backend: Backend) -> None:
        writes: list[Callable[[], object]] = [
            lambda: backend.create_block("sarah", HUMAN),
            lambda: backend.write_block("sarah", "human", "x"),
            lambda: backend.add_passages("sarah", [Passage(text="x")]),
        ]
        for write in writes:
            with pytest.raises(SubjectNotFoundError):
                write()
        assert backend.list_subjects() == []

    def test_a_subject_keeps_its_agent(self, backend: Backend) -> None:
        made, created = backend.create_subject("sarah", [HUMAN])
        again, created_again = backend.create_subject("sarah", [BlockSpec(label="other")])
        assert (created, created_again) == (True, False)
        assert again == made == backend.get_subject("sarah")
        assert [block.label for block in backend.list_blocks("sarah")] == ["human"]

    def test_concurrent_first_use_makes_one_agent(self, backend: Backend) -> None:
        barrier = threading.Barrier(8)

        def create(_: int) -> tuple[str, bool]:
            barrier.wait()
            subject, created = backend.create_subject("sarah", [HUMAN])
            return subject.agent_id, created

        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(create, range(8)))
        assert len({agent for agent, _ in results}) == 1
        assert sum(created for _, created in results) == 1
        assert len(backend.list_blocks("sarah")) == 1

    def test_subjects_are_told_apart_byte_for_byte_and_listed_in_order(self, backend: Backend) -> None:
        for subject in HARD_SUBJECTS:
            backend.create_subject(subject, [HUMAN.model_copy(update={"value": subject})])
        assert [subject.subject_id for subject in backend.list_subjects()] == sorted(HARD_SUBJECTS)
        assert [backend.list_blocks(subject)[0].value for subject in HARD_SUBJECTS] == HARD_SUBJECTS
        first = backend.list_subjects(limit=2)
        rest = backend.list_subjects(after=first[-1].subject_id)
        assert [subject.subject_id for subject in first + rest] == sorted(HARD_SUBJECTS)

    def test_subjects_never_see_each_other(self, backend: Backend) -> None:
        for subject in ("sarah", "bob"):
            backend.create_subject(subject, [HUMAN])
        (passage_id,) = backend.add_passages("sarah", [Passage(text="a secret of sarah")])
        backend.write_block("sarah", "human", "secret")
        assert backend.search_passages("bob", PassageQuery(text="secret")) == []
        assert backend.get_passage("bob", passage_id) is None
        assert backend.delete_passages("bob", [passage_id]) == 0
        assert backend.list_blocks("bob")[0].value == ""
        assert backend.block_history("bob", "human")[-1].value == ""

    def test_deleting_a_subject_leaves_nothing_and_counts_it(self, backend: Backend) -> None:
        old, _ = backend.create_subject("sarah", [HUMAN])
        backend.create_subject("bob", [HUMAN])
        backend.add_passages("sarah", [Passage(text="cats"), Passage(text="dogs")])
        receipt = backend.delete_subject("sarah")
        assert receipt is not None
        assert (receipt.subject_id, receipt.agent_id) == ("sarah", old.agent_id)
        assert (receipt.blocks, receipt.passages, receipt.complete) == (1, 2, True)
        assert backend.get_subject("sarah") is None
        new, created = backend.create_subject("sarah")
        assert created
        assert new.agent_id != old.agent_id
        assert backend.list_blocks("sarah") == []
        assert backend.search_passages("sarah", PassageQuery(text="cats")) == []
        assert [subject.subject_id for subject in backend.list_subjects()] == ["bob", "sarah"]

    # blocks

    @pytest.mark.parametrize("text", HARD_TEXTS)
    def test_a_block_keeps_its_text_exactly(self, backend: Backend, text: str) -> None:
        backend.create_subject("sarah", [BlockSpec(label="notes", description=text, limit=60_000)])
        backend.write_block("sarah", "notes", text)
        block = backend.get_block("sarah", "notes")
        assert block is not None
        assert (block.value, block.description) == (text, text)

    def test_human_and_summary_come_first_then_the_oldest(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        for label in ("zebra", "summary", "apple", "human"):
            backend.create_block("sarah", BlockSpec(label=label))
        assert [block.label for block in backend.list_blocks("sarah")] == ["human", "summary", "zebra", "apple"]

    def test_a_block_that_exists_is_left_as_it_is(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        block, created = backend.create_block("sarah", BlockSpec(label="human", value="other", limit=5))
        assert (created, block.value, block.limit) == (False, "", 100)

    def test_a_block_over_its_limit_is_refused_and_left_as_it_was(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        backend.write_block("sarah", "human", "x" * 100)
        with pytest.raises(BlockLimitError, match="at most 100 characters, got 101"):
            backend.write_block("sarah", "human", "x" * 101)
        with pytest.raises(BlockLimitError):
            backend.create_block("sarah", BlockSpec(label="notes", limit=3, value="four"))
        assert [block.value for block in backend.list_blocks("sarah")] == ["x" * 100]

    def test_an_unknown_block_is_named_with_those_there_are(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        with pytest.raises(BlockNotFoundError, match=r"no block .preferences.*.human."):
            backend.write_block("sarah", "preferences", "x")

    def test_a_change_names_the_version_it_saw(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        assert backend.write_block("sarah", "human", "one", expected_version=1).version == 2
        with pytest.raises(VersionConflictError):
            backend.write_block("sarah", "human", "two", expected_version=1)
        block = backend.get_block("sarah", "human")
        assert block is not None
        assert (block.value, block.version) == ("one", 2)

    def test_the_same_value_again_is_no_new_version(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        backend.write_block("sarah", "human", "one")
        assert backend.write_block("sarah", "human", "one").version == 2
        assert len(backend.block_history("sarah", "human")) == 2

    def test_every_change_is_kept_with_who_when_and_why(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        backend.write_block("sarah", "human", "one", change=Change("learner", "run_1", ("m1", "m2")))
        backend.write_block("sarah", "human", "two")
        history = backend.block_history("sarah", "human")
        assert [(each.version, each.value, each.actor) for each in history] == [
            (1, "", "application"),
            (2, "one", "learner"),
            (3, "two", "application"),
        ]
        assert (history[1].run_id, history[1].message_ids) == ("run_1", ("m1", "m2"))
        assert all(each.created_at.tzinfo is not None for each in history)

    def test_a_block_made_again_begins_a_new_history(self, backend: Backend) -> None:
        backend.create_subject("sarah", [HUMAN])
        backend.write_block("sarah", "human", "one")
        old = backend.get_block("sarah", "human")
        assert backend.delete_block("sarah", "human") is True
        assert backend.delete_block("sarah", "human") is False
        new, _ = backend.create_block("sarah", HUMAN)
        assert old is not None
        assert new.id != old.id
        assert [each.value for each in backend.block_history("sarah", "human")] == [""]

    # passages

    @pytest.mark.parametrize("text", HARD_TEXTS)
    def test_a_passage_keeps_everything_exactly(self, backend: Backend, text: str) -> None:
        backend.create_subject("sarah")
        passage = Passage(
            text=text,
            tags=("b", "a", "b"),
            metadata={"n": 1, "f": 1.5, "s": text, "none": None, "list": [1, {"x": True}]},
            created_at=datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
            role="user",
            name="Sarah",
            thread_id="t 1",
            message_id="m 1",
        )
        assert backend.add_passages("sarah", [passage]) == [passage.id]
        assert backend.get_passage("sarah", passage.id) == passage
        assert backend.list_passages("sarah") == [passage]

    def test_passages_are_listed_in_order_by_pages_and_tags(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        passages = [Passage(text=str(n), tags=("even",) if n % 2 == 0 else ("odd", "x")) for n in range(7)]
        backend.add_passages("sarah", passages[:3])
        backend.add_passages("sarah", passages[3:])
        first = backend.list_passages("sarah", limit=4)
        rest = backend.list_passages("sarah", after=first[-1].id)
        assert [each.text for each in first + rest] == list("0123456")
        assert [each.text for each in backend.list_passages("sarah", tags=["odd", "none"])] == ["1", "3", "5"]

    def test_a_passage_with_a_known_id_replaces_the_old_one(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        passage = Passage(text="cats")
        backend.add_passages("sarah", [passage])
        assert len(backend.search_passages("sarah", PassageQuery(text="cats"))) == 1
        backend.add_passages("sarah", [passage.model_copy(update={"text": "dogs"})])
        assert [each.text for each in backend.list_passages("sarah")] == ["dogs"]
        assert backend.search_passages("sarah", PassageQuery(text="cats")) == []

    def test_a_deleted_passage_is_not_found_again(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        one, two = backend.add_passages("sarah", [Passage(text="cats"), Passage(text="cats and dogs")])
        assert len(backend.search_passages("sarah", PassageQuery(text="cats"))) == 2
        assert backend.delete_passages("sarah", [one, "psg_unknown"]) == 1
        assert [each.id for each in backend.search_passages("sarah", PassageQuery(text="cats"))] == [two]

    def test_a_passage_is_found_directly_after_it_was_added(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        for number in range(5):
            backend.add_passages("sarah", [Passage(text=f"number{number} of the cats")])
            found = backend.search_passages("sarah", PassageQuery(text=f"number{number}"))
            assert [each.text for each in found] == [f"number{number} of the cats"]

    def test_what_matches_best_comes_first_with_its_score(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        texts = ["I love my two cats", "the weather is fine", "cats sleep all day, cats"]
        backend.add_passages("sarah", [Passage(text=text) for text in texts])
        found = backend.search_passages("sarah", PassageQuery(text="what do my two cats love"))
        assert found[0].text == "I love my two cats"
        assert all(each.score is not None and 0 <= each.score <= 1 for each in found)
        scores = [each.score or 0.0 for each in found]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("query", ["'\"*()", "AND OR NOT", "a:b -c", "NEAR(", "%", "\\", "🐈", "x" * 20_000, " "])
    def test_no_query_is_an_error(self, backend: Backend, query: str) -> None:
        backend.create_subject("sarah")
        backend.add_passages("sarah", [Passage(text="I love cats")])
        assert len(backend.search_passages("sarah", PassageQuery(text=query))) <= 1

    def test_filters_narrow_a_search(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        day = datetime(2025, 1, 1, tzinfo=UTC)
        passages = [
            Passage(
                text="cats",
                tags=(f"t{number}",),
                thread_id=f"thread{number}",
                created_at=day + timedelta(days=number),
                metadata={"n": number, "kind": "pet"},
                role="user" if number else None,
            )
            for number in range(4)
        ]
        backend.add_passages("sarah", passages)

        def found(**filters: object) -> set[str]:
            query = PassageQuery.model_validate({"text": "cats", **filters})
            return {each.tags[0] for each in backend.search_passages("sarah", query)}

        assert found() == {"t0", "t1", "t2", "t3"}
        assert found(tags=("t1", "t3", "t9")) == {"t1", "t3"}
        assert found(thread_id="thread2") == {"t2"}
        assert found(after=day + timedelta(days=1), before=day + timedelta(days=3)) == {"t1", "t2"}
        assert found(metadata={"kind": "pet", "n": 3}) == {"t3"}
        assert found(metadata={"absent": None}) == set()
        assert found(roles=(None,)) == {"t0"}
        assert found(roles=("user",), tags=("t0", "t1")) == {"t1"}
        assert len(backend.search_passages("sarah", PassageQuery(text="cats", limit=2))) == 2
        assert backend.search_passages("sarah", PassageQuery(text="cats", limit=0)) == []

    def test_an_empty_query_gives_the_newest_first(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        backend.add_passages("sarah", [Passage(text=str(number)) for number in range(5)])
        found = backend.search_passages("sarah", PassageQuery(text="", limit=3))
        assert [each.text for each in found] == ["4", "3", "2"]
