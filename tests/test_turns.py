"""What is new in a turn."""

from __future__ import annotations

import pytest

from ai_memory_integrations.turns import turn_start

_ROLES = {"u": "user", "a": "assistant", "t": "tool", "s": "system"}


@pytest.mark.parametrize(
    ("conversation", "turn"),
    [
        ("", ""),
        ("u", "u"),
        ("uaua", "ua"),
        ("uau", "u"),
        ("uauu", "uu"),
        ("uauuatata", "uuatata"),
        ("suasu", "u"),
        ("suausua", "usua"),
        ("sa", "sa"),
        ("su", "u"),
        ("uas", "uas"),
    ],
)
def test_a_turn_is_the_last_user_messages_in_a_row_and_what_followed(conversation: str, turn: str) -> None:
    assert conversation[turn_start([_ROLES[letter] for letter in conversation]) :] == turn
