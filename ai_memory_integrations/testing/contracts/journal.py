"""The contract of `ports.Journal`: inherit `JournalContract` and give it a `store`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from ai_memory_integrations.errors import RunNotFoundError, StaleClaimError, SubjectNotFoundError
from ai_memory_integrations.ports import Claim, Journal, Store
from ai_memory_integrations.types import AT_ONCE, BlockSpec, LearningPolicy, Message, Role, Usage

LATER = LearningPolicy(batch=3, idle=3600, max_wait=7200)


class JournalContract:
    """Tests of what every journal promises. Override `store`; it begins empty."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("give the contract a `store` fixture")

    @pytest.fixture
    def journal(self, store: Store) -> Journal:
        for subject in ("sarah", "bob"):
            store.backend.create_subject(subject, [BlockSpec(label="human")])
        return store.journal

    # the history of blocks

    def test_old_versions_go_but_the_newest_and_the_current_one(self, journal: Journal, store: Store) -> None:
        for number in range(5):
            store.backend.write_block("sarah", "human", f"{number}")
        store.backend.write_block("bob", "human", "one")
        assert journal.history_size().versions == 8
        assert journal.prune_history("sarah", keep=2, dry_run=True) == 4
        assert journal.prune_history("sarah", keep=2) == 4
        assert [each.version for each in store.backend.block_history("sarah", "human")] == [5, 6]
        assert journal.prune_history() == 2
        assert [each.value for each in store.backend.block_history("bob", "human")] == ["one"]
        assert store.backend.write_block("sarah", "human", "on").version == 7
        size = journal.history_size()
        assert (size.blocks, size.versions, size.characters) == (2, 3, 6)
        assert journal.prune_history("nobody") == 0

    def test_versions_since_a_moment_stay(self, journal: Journal, store: Store) -> None:
        for number in range(3):
            store.backend.write_block("sarah", "human", f"{number}")
        third = store.backend.block_history("sarah", "human")[2]
        assert journal.prune_history("sarah", before=third.created_at) == 2
        assert [each.version for each in store.backend.block_history("sarah", "human")] == [3, 4]
        assert journal.prune_history("sarah", before=datetime(9000, 1, 1, tzinfo=UTC), keep=2) == 0
        assert journal.history_size().oldest is not None

    # transactions

    def test_what_waits_for_a_commit_is_called_in_order_once_it_is_there(self, journal: Journal) -> None:
        seen: list[object] = []
        journal.after_commit(lambda: seen.append("at once"))
        with journal.transaction():
            assert journal.in_transaction
            with journal.transaction():
                add(journal, says("one"))
                journal.after_commit(lambda: seen.append((journal.in_transaction, texts(journal))))
            journal.after_commit(lambda: seen.append("last"))
            assert seen == ["at once"]
        assert seen == ["at once", (False, ["one"]), "last"]
        assert not journal.in_transaction

    def test_what_waits_for_a_commit_is_forgotten_when_there_is_none(self, journal: Journal) -> None:
        seen: list[str] = []
        with pytest.raises(RuntimeError, match="crash"), journal.transaction():
            journal.after_commit(lambda: seen.append("never"))
            raise RuntimeError("crash")
        with journal.transaction():
            pass
        assert seen == []

    def test_what_fails_after_a_commit_undoes_nothing(self, journal: Journal) -> None:
        def fail() -> None:
            raise RuntimeError("too late")

        with pytest.raises(RuntimeError, match="too late"), journal.transaction():
            add(journal, says("kept"))
            journal.after_commit(fail)
        assert texts(journal) == ["kept"]

    # messages

    def test_a_message_comes_back_exactly(self, journal: Journal) -> None:
        message = Message(
            role="assistant",
            content=[{"type": "text", "text": "é 🐈\u0000"}, {"type": "image_url", "image_url": {"url": "x"}}],
            id="m 1",
            name="helper",
            tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
            metadata={"a": [1, None, {"b": 1.5}]},
            created_at=datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC),
            thread_id="t 1",
        )
        add(journal, [message])
        (found,) = journal.list_messages("sarah", "t 1")
        assert found.received_at is not None
        assert found.model_copy(update={"received_at": None}) == message

    def test_messages_keep_the_order_in_which_they_came(self, journal: Journal) -> None:
        for batch in (["1", "2"], ["3"], ["4", "5"]):
            add(journal, says(*batch))
        assert texts(journal) == ["1", "2", "3", "4", "5"]
        assert [each.text for each in journal.list_messages("sarah", limit=2)] == ["4", "5"]

    def test_pages_of_messages_join_without_a_gap(self, journal: Journal) -> None:
        messages = says(*"abcdef")
        add(journal, messages)
        after = journal.list_messages("sarah", "default", after=messages[1].id, limit=2)
        before = journal.list_messages("sarah", "default", before=messages[4].id, limit=2)
        assert [each.text for each in after] == ["c", "d"]
        assert [each.text for each in before] == ["c", "d"]

    def test_threads_and_subjects_are_apart(self, journal: Journal) -> None:
        add(journal, says("one", thread="t1"))
        add(journal, says("two", thread="t2"))
        add(journal, says("three", thread="t1"), subject="bob")
        assert texts(journal, "t1") == ["one"]
        assert [(each.thread_id, each.messages) for each in journal.list_threads("sarah")] == [("t1", 1), ("t2", 1)]
        assert [each.text for each in journal.list_messages("bob")] == ["three"]

    def test_an_unknown_subject_has_no_messages_and_takes_none(self, journal: Journal) -> None:
        assert journal.list_messages("nobody") == []
        assert journal.list_threads("nobody") == []
        assert journal.clear_thread("nobody", "default") == 0
        assert journal.delete_thread("nobody", "default") == 0
        with pytest.raises(SubjectNotFoundError):
            add(journal, says("x"), subject="nobody")

    def test_an_identity_is_kept_and_learnt_once(self, journal: Journal) -> None:
        message = says("hello")[0]
        first = add(journal, [message])
        assert add(journal, [message]) == first
        assert len(learn(journal)) == 1
        add(journal, [message, *says("new")])
        assert texts(journal) == ["hello", "new"]
        assert learn(journal) == ["new"]

    def test_the_same_words_twice_are_two_messages(self, journal: Journal) -> None:
        add(journal, says("ok", "ok"))
        assert learn(journal) == ["ok", "ok"]

    def test_system_messages_are_kept_and_never_learnt(self, journal: Journal) -> None:
        roles: list[Role] = ["system", "user", "assistant", "tool"]
        add(journal, [Message(role=role, content=role) for role in roles])
        assert texts(journal) == roles
        assert learn(journal) == ["user", "assistant", "tool"]

    def test_messages_kept_without_learning_are_not_learnt(self, journal: Journal) -> None:
        journal.append("sarah", says("old"), learner="l", policy=AT_ONCE, learn=False)
        add(journal, says("new"))
        assert texts(journal) == ["old", "new"]
        assert learn(journal) == ["new"]

    def test_a_cleared_thread_is_hidden_and_still_learnt(self, journal: Journal) -> None:
        messages = says("one", "two")
        add(journal, messages)
        assert journal.clear_thread("sarah", "default") == 2
        assert texts(journal) == []
        assert journal.list_threads("sarah") == []
        assert learn(journal) == ["one", "two"]
        add(journal, [*messages, *says("three")])
        assert texts(journal) == ["one", "two", "three"]
        assert learn(journal) == ["three"]

    def test_single_messages_can_be_deleted(self, journal: Journal) -> None:
        messages = says("one", "two", "three")
        add(journal, messages)
        assert journal.delete_messages("sarah", "default", [messages[1].id, "unknown"]) == 1
        assert texts(journal) == ["one", "three"]
        assert learn(journal) == ["one", "two", "three"]

    def test_a_deleted_thread_is_learnt_first_and_may_be_said_again(self, journal: Journal) -> None:
        message = says("one")[0]
        add(journal, [message])
        assert journal.delete_thread("sarah", "default") == 1
        assert texts(journal) == []
        assert learn(journal) == ["one"]
        add(journal, [message])
        assert learn(journal) == ["one"]

    def test_a_forgotten_thread_is_dropped_unlearnt(self, journal: Journal) -> None:
        add(journal, says("one"))
        add(journal, says("two", thread="other"))
        assert journal.delete_thread("sarah", "default", forget=True) == 1
        assert learn(journal) == ["two"]

    def test_a_thread_that_is_set_shows_these_messages_in_this_order_and_learns_none_of_them(
        self, journal: Journal
    ) -> None:
        one, two, three = says("one", "two", "three")
        add(journal, [one, two])
        journal.set_messages("sarah", "default", [three, two.model_copy(update={"content": "changed"})])
        assert texts(journal) == ["three", "changed"]
        assert learn(journal) == ["one", "changed"]
        add(journal, [one, two, three, *says("four")])
        assert texts(journal) == ["three", "changed", "one", "four"]
        assert learn(journal) == ["four"]
        journal.set_messages("sarah", "default", [])
        assert texts(journal) == []
        with pytest.raises(SubjectNotFoundError):
            journal.set_messages("nobody", "default", [one])

    def test_setting_a_thread_leaves_other_threads_and_subjects_alone(self, journal: Journal) -> None:
        message = says("one", thread="t1")[0]
        add(journal, [message])
        add(journal, [message], subject="bob")
        add(journal, says("two", thread="t2"))
        journal.set_messages("sarah", "t1", [])
        assert [each.text for each in journal.list_messages("sarah")] == ["two"]
        assert [each.text for each in journal.list_messages("bob")] == ["one"]

    def test_annotating_merges_keys_and_removes_them(self, journal: Journal) -> None:
        message, other = says("one", "two")
        add(journal, [message.model_copy(update={"metadata": {"kept": {"a": 1}}}), other])
        assert journal.annotate_messages("sarah", "default", [message.id, "unknown"], {"new": [1, None]}) == 1
        found, left = journal.list_messages("sarah")
        assert found.metadata == {"kept": {"a": 1}, "new": [1, None]}
        assert left.metadata == {}
        assert found.content == "one"
        assert journal.annotate_messages("sarah", "default", [message.id], {"new": None}) == 1
        assert journal.list_messages("sarah")[0].metadata == {"kept": {"a": 1}}
        assert journal.annotate_messages("bob", "default", [message.id], {"new": 1}) == 0
        assert journal.annotate_messages("nobody", "default", [message.id], {"new": 1}) == 0

    def test_an_annotation_takes_the_place_of_the_one_before_whole(self, journal: Journal) -> None:
        message = says("one")[0]
        add(journal, [message.model_copy(update={"metadata": {"seen": {"by": "ann", "at": "noon"}}})])
        journal.annotate_messages("sarah", "default", [message.id], {"seen": {"by": None}})
        assert journal.list_messages("sarah")[0].metadata == {"seen": {"by": None}}

    def test_messages_can_be_listed_by_role(self, journal: Journal) -> None:
        roles: list[Role] = ["system", "user", "assistant", "user"]
        messages = [Message(role=role, content=f"{n}") for n, role in enumerate(roles)]
        add(journal, messages)
        assert [each.text for each in journal.list_messages("sarah", "default", roles=["user"])] == ["1", "3"]
        found = journal.list_messages("sarah", roles=["system", "user"], before=messages[3].id, limit=1)
        assert [each.text for each in found] == ["1"]
        assert journal.list_messages("sarah", roles=[]) == []

    # runs

    def test_messages_share_the_open_run_until_it_starts(self, journal: Journal) -> None:
        first = add(journal, says("one"))
        assert add(journal, says("two")) == first
        claim = take(journal)
        assert [each.text for each in claim.messages] == ["one", "two"]
        assert add(journal, says("three")) != first

    def test_a_run_goes_through_its_states(self, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        assert state(journal, run_id) == "created"
        claim = take(journal)
        assert state(journal, run_id) == "running"
        end(journal, claim, skipped={"notes": "no model"}, usage=Usage(input_tokens=3, steps=1))
        run = journal.get_run(run_id)
        assert run is not None
        assert (run.state, run.messages, run.attempts, run.error) == ("completed", 1, 1, None)
        assert run.skipped == {"notes": "no model"}
        assert run.usage == Usage(input_tokens=3, steps=1)
        assert run.created_at <= (run.started_at or run.created_at) <= (run.ended_at or run.created_at)
        assert [each.id for each in journal.list_runs("sarah")] == [run_id]
        assert journal.list_runs("sarah", state="failed") == []
        assert journal.list_runs("bob") == []

    def test_a_run_waits_for_a_batch_or_for_somebody_who_asks(self, journal: Journal) -> None:
        run_id = add(journal, says("one"), policy=LATER)
        assert journal.claim("l", owner="h:1", lease=60) is None
        assert 3000 < (journal.next_due("l") or 0) <= 3600
        add(journal, says("two", "three"), policy=LATER)
        assert (journal.next_due("l") or 0) <= 0
        end(journal, take(journal))
        other = add(journal, says("four"), policy=LATER)
        assert other != run_id
        assert journal.make_due(subject_id="sarah") == [other]
        assert journal.make_due(subject_id="bob") == []
        assert learn(journal) == ["four"]
        assert journal.next_due("l") is None

    def test_one_subject_is_learnt_by_one_at_a_time_and_others_meanwhile(self, journal: Journal) -> None:
        add(journal, says("one"))
        first = take(journal)
        add(journal, says("two"))
        add(journal, says("three"), subject="bob")
        second = take(journal)
        assert second.subject_id == "bob"
        assert journal.claim("l", owner="h:1", lease=60) is None
        end(journal, first)
        assert [each.text for each in take(journal).messages] == ["two"]

    def test_only_a_learner_of_the_same_name_takes_a_run(self, journal: Journal) -> None:
        add(journal, says("one"))
        assert journal.claim("other", owner="h:1", lease=60) is None
        assert journal.next_due("other") is None
        assert journal.waiting_learners() == {"l": 1}
        assert (journal.pending("l"), journal.pending("other")) == (True, False)

    def test_what_waits_for_one_learner_can_be_handed_to_another(self, journal: Journal) -> None:
        first = add(journal, says("old"))
        failed = add(journal, says("broken"), subject="bob")
        journal.fail(take(journal, run_id=failed), error="no")
        second = journal.append("sarah", says("new"), learner="mine", policy=AT_ONCE).run_id
        assert journal.adopt("l", "mine") == 2
        assert journal.waiting_learners() == {"mine": 3}
        for run_id, text in ((first, "old"), (second, "new")):
            claim = journal.claim("mine", owner="h:1", lease=60)
            assert claim is not None
            assert (claim.run.id, [each.text for each in claim.messages]) == (run_id, [text])
            end(journal, claim)
        assert journal.claim("mine", owner="h:1", lease=60) is None
        assert journal.retry_run(failed).learner == "mine"
        assert journal.adopt("l", "mine") == 0

    def test_what_a_process_has_in_work_is_not_handed_over(self, journal: Journal) -> None:
        add(journal, says("one"))
        claim = take(journal)
        assert journal.adopt("l", "mine") == 0
        end(journal, claim)
        add(journal, says("two"))
        take(journal, lease=0)
        assert journal.adopt("l", "mine") == 1

    def test_a_claim_that_ran_out_is_taken_over_and_the_first_holder_can_end_nothing(self, journal: Journal) -> None:
        add(journal, says("one"))
        lost = take(journal, lease=0)
        taken = take(journal)
        assert taken.run.id == lost.run.id
        assert [each.text for each in taken.messages] == ["one"]
        attempts: list[Callable[[], None]] = [
            lambda: journal.hold(lost),
            lambda: end(journal, lost),
            lambda: journal.fail(lost, error="x"),
            lambda: journal.postpone(lost, error="x", delay=0),
        ]
        for attempt in attempts:
            with pytest.raises(StaleClaimError):
                attempt()
        assert journal.renew(lost, 60) is False
        assert journal.renew(taken, 60) is True
        end(journal, taken)
        with pytest.raises(StaleClaimError):
            end(journal, taken)

    def test_a_postponed_run_stays_in_turn(self, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        journal.postpone(take(journal), error="busy", delay=3600)
        add(journal, says("two"))
        assert journal.claim("l", owner="h:1", lease=60) is None
        run = journal.get_run(run_id)
        assert run is not None
        assert (run.state, run.error) == ("running", "busy")
        assert journal.make_due(run_id=run_id, postponed=False) == []
        assert journal.claim("l", owner="h:1", lease=60) is None
        assert journal.make_due(run_id=run_id) == [run_id]
        claim = take(journal)
        assert (claim.run.id, claim.run.attempts) == (run_id, 2)

    def test_a_failed_run_keeps_its_messages_for_a_retry(self, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        journal.fail(take(journal), error="boom")
        run = journal.get_run(run_id)
        assert run is not None
        assert (run.state, run.error) == ("failed", "boom")
        add(journal, says("two"))
        assert learn(journal) == ["two"]
        assert journal.stats().waiting == 1
        journal.retry_run(run_id)
        assert learn(journal) == ["one"]
        assert state(journal, run_id) == "completed"

    def test_a_cancelled_run_is_not_learnt(self, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        claim = take(journal)
        assert journal.cancel_run(run_id).state == "cancelled"
        with pytest.raises(StaleClaimError):
            end(journal, claim)
        assert texts(journal) == ["one"]
        add(journal, says("two"))
        assert learn(journal) == ["two"]

    def test_an_unknown_run_is_none_or_refused_by_name(self, journal: Journal) -> None:
        assert journal.get_run("run_x") is None
        for change in (journal.retry_run, journal.cancel_run):
            with pytest.raises(RunNotFoundError, match="run_x"):
                change("run_x")

    def test_effects_and_the_end_of_a_run_happen_together_or_not_at_all(self, store: Store, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        claim = take(journal)
        with pytest.raises(RuntimeError, match="crash"), journal.transaction():
            journal.hold(claim)
            store.backend.write_block("sarah", "human", "learnt")
            journal.complete(claim, edits=1, passages=0, skipped={}, usage=None)
            raise RuntimeError("crash")
        assert state(journal, run_id) == "running"
        assert [block.value for block in store.backend.list_blocks("sarah")] == [""]
        assert journal.stats().waiting == 1

    def test_deleting_the_subject_ends_the_claims_on_it(self, store: Store, journal: Journal) -> None:
        run_id = add(journal, says("one"))
        claim = take(journal)
        receipt = store.backend.delete_subject("sarah")
        assert receipt is not None
        assert (receipt.messages, receipt.runs) == (1, 1)
        store.backend.create_subject("sarah")
        with pytest.raises(StaleClaimError):
            journal.hold(claim)
        assert journal.get_run(run_id) is None
        assert journal.list_messages("sarah") == []

    def test_stats_count_what_waits(self, journal: Journal) -> None:
        assert journal.stats().oldest is None
        add(journal, says("one", "two"))
        take(journal)
        add(journal, says("three"), subject="bob")
        stats = journal.stats()
        assert (stats.subjects, stats.waiting, stats.running, stats.failed) == (2, 3, 1, 0)
        assert stats.oldest is not None

    def test_concurrent_claims_take_every_run_once(self, journal: Journal, store: Store) -> None:
        subjects = [f"s{number}" for number in range(12)]
        for subject in subjects:
            store.backend.create_subject(subject)
            add(journal, says(subject), subject=subject)

        def work(number: int) -> list[str]:
            done: list[str] = []
            while (claim := journal.claim("l", owner=f"h{number}:1", lease=60)) is not None:
                done.extend(message.text for message in claim.messages)
                end(journal, claim)
            return done

        with ThreadPoolExecutor(4) as threads:
            done = [text for each in threads.map(work, range(4)) for text in each]
        assert sorted(done) == sorted(subjects)


def says(*contents: str, thread: str = "default") -> list[Message]:
    return [Message(role="user", content=content, thread_id=thread) for content in contents]


def add(
    journal: Journal, messages: Sequence[Message], *, subject: str = "sarah", policy: LearningPolicy = AT_ONCE
) -> str:
    return journal.append(subject, messages, learner="l", policy=policy).run_id


def take(journal: Journal, *, lease: float = 60, run_id: str | None = None) -> Claim:
    claim = journal.claim("l", owner="elsewhere:1", lease=lease, run_id=run_id)
    assert claim is not None
    return claim


def end(journal: Journal, claim: Claim, *, skipped: dict[str, str] | None = None, usage: Usage | None = None) -> None:
    journal.complete(claim, edits=0, passages=0, skipped=skipped or {}, usage=usage)


def learn(journal: Journal) -> list[str]:
    """Learn all that is due; the texts, in order."""
    done: list[str] = []
    while (claim := journal.claim("l", owner="elsewhere:1", lease=60)) is not None:
        done.extend(message.text for message in claim.messages)
        end(journal, claim)
    return done


def texts(journal: Journal, thread: str | None = None) -> list[str]:
    return [message.text for message in journal.list_messages("sarah", thread)]


def state(journal: Journal, run_id: str) -> str | None:
    run = journal.get_run(run_id)
    return None if run is None else run.state
