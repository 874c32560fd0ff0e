"""Which part of a conversation a model is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.llama_index.window import Item, choose
from ai_memory_integrations.types import Role

roles: st.SearchStrategy[Role] = st.sampled_from(["user", "assistant", "tool", "system"])
conversations = st.lists(st.builds(Item, st.uuids(), roles, st.integers(0, 50)), max_size=30)


def of_role(role: Role, n: int, tokens: int = 10) -> Item[int]:
    return Item(n, role, tokens)


@given(conversations, st.integers(-20, 500))
def test_a_window_is_the_end_of_the_conversation_in_whole_turns(items: list[Item[object]], budget: int) -> None:
    window = choose(items, budget)
    begin = len(items) - len(window.shown)
    assert window.shown == [item.message for item in items[begin:]]
    assert not window.shown or items[begin].role == "user"
    assert window.system == [item.message for item in items[:begin] if item.role == "system"]
    assert window.fallen == any(item.role == "user" for item in items[:begin])


@given(conversations, st.integers(0, 500))
def test_a_window_fits_unless_it_is_the_last_turn_and_is_as_long_as_can_be(
    items: list[Item[object]], budget: int
) -> None:
    begin = len(items) - len(choose(items, budget).shown)
    starts = [n for n, item in enumerate(items) if item.role == "user"]
    system = sum(item.tokens for item in items if item.role == "system")

    def cost(start: int) -> int:
        return system + sum(item.tokens for item in items[start:] if item.role != "system")

    if not starts:
        assert begin == len(items)
        return
    fitting = [start for start in starts if cost(start) <= budget]
    assert begin == min(fitting, default=starts[-1])


def test_a_greeting_before_the_first_user_message_is_not_shown() -> None:
    items = [of_role("assistant", 1), of_role("user", 2), of_role("assistant", 3)]
    assert choose(items, 1000).shown == [2, 3]


def test_a_tool_message_never_loses_its_call() -> None:
    items = [of_role("user", 1), of_role("assistant", 2), of_role("tool", 3), of_role("assistant", 4)]
    assert choose(items, 5).shown == [1, 2, 3, 4]
