"""The language model of the examples: OpenAI's when OPENAI_API_KEY is set, else a stand-in that calls nobody."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable
from typing import Any

Model = Callable[[list[dict[str, Any]]], str]


def chat_model() -> Model:
    """From messages to an answer. With OPENAI_API_KEY: `pip install openai`; OPENAI_MODEL names another model."""
    if not os.environ.get("OPENAI_API_KEY"):
        return stand_in
    from openai import OpenAI

    client, name = OpenAI(), os.environ.get("OPENAI_MODEL", "gpt-4o-mini")

    def answer(messages: list[dict[str, Any]]) -> str:
        response = client.chat.completions.create(model=name, messages=messages)  # type: ignore[arg-type]
        return response.choices[0].message.content or ""

    return answer


def stand_in(messages: list[dict[str, Any]]) -> str:
    """Says what of the memory in its prompt a model would have had."""
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    human = re.search(r"<human[^>]*>\n(.*?)\n</human>", system, re.DOTALL)
    known = [line for line in html.unescape(human[1]).splitlines() if line.strip()] if human else []
    return f"(no model here) I know: {'; '.join(known)}" if known else "(no model here) I know nothing of you yet."
