"""What a model is shown where a tool call has no result, or has it late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.tool_results import NO_RESULT, with_results
from ai_memory_integrations.types import Message

IDS = ["c1", "c2", "c3", None]


def user(text: str = "hi") -> Message:
    return Message(role="user", content=text)


def calling(*ids: str | None) -> Message:
    return Message(role="assistant", tool_calls=[{"id": each, "name": "look", "args": {}} for each in ids])


def result(call_id: str | None) -> Message:
    return Message(role="tool", content="A cat.", tool_call_id=call_id)


said = st.one_of(
    st.builds(user),
    st.builds(lambda ids: calling(*ids), st.lists(st.sampled_from(IDS), max_size=3, unique=True)),
    st.builds(result, st.sampled_from(IDS)),
    st.builds(lambda: Message(role="system", content="Be kind.")),
)


def answers(messages: list[Message], place: int) -> list[str | None]:
    found = []
    for message in messages[place + 1 :]:
        if message.role != "tool":
            break
        found.append(message.tool_call_id)
    return found


@given(st.lists(said, max_size=12), st.booleans())
def test_every_call_has_a_result_behind_it_and_nothing_that_was_said_is_lost(
    messages: list[Message], over: bool
) -> None:
    shown = with_results(messages, over=over)
    made = [message for message in shown if message.id.startswith("no-result:")]
    assert sorted(each.id for each in shown) == sorted(each.id for each in [*messages, *made])
    assert [each.id for each in shown if each.role != "tool"] == [each.id for each in messages if each.role != "tool"]
    assert len({each.id for each in shown}) == len(shown)
    for place, message in enumerate(shown):
        went_on = over or any(each.role in ("user", "assistant") for each in shown[place + 1 :])
        if message.tool_calls and went_on:
            there = answers(shown, place)
            for call in message.tool_calls:
                there.remove(call["id"] if call["id"] in there else None)


@given(st.lists(said, max_size=12))
def test_a_conversation_that_has_all_results_is_shown_as_it_is(messages: list[Message]) -> None:
    shown = with_results(messages, over=True)
    assert with_results(shown, over=True) == shown


def test_of_two_calls_in_one_message_the_one_that_was_not_answered_gets_a_result() -> None:
    ask, both, one, more = user(), calling("c1", "c2"), result("c2"), user("And?")
    *shown, made, last = with_results([ask, both, one, more])
    assert (shown, last) == ([ask, both, one], more)
    assert (made.role, made.tool_call_id, made.text) == ("tool", "c1", NO_RESULT)


def test_a_turn_that_is_still_under_way_is_left_as_it_is() -> None:
    for messages in ([user(), calling("c1")], [user(), calling("c1", "c2"), result("c1")]):
        assert with_results(messages) == messages
        assert [each.text for each in with_results(messages, over=True)][-1] == NO_RESULT


def test_a_result_that_came_when_the_user_had_gone_on_stands_behind_its_call() -> None:
    ask, call, more, late = user(), calling("c1"), user("Well?"), result("c1")
    assert with_results([ask, call, more, late]) == [ask, call, late, more]


def test_a_result_of_a_later_call_with_the_same_id_stays_with_that() -> None:
    ask, call, more, again, its = user(), calling("look"), user("Well?"), calling("look"), result("look")
    shown = with_results([ask, call, more, again, its])
    assert (shown[2].text, shown[3:]) == (NO_RESULT, [more, again, its])
