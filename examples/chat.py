"""A chat that remembers you from one start to the next: `python examples/chat.py [USER]`, and again.

Memory is one file, chat.db, in the current folder. Lines may also be piped in.
"""

from __future__ import annotations

import sys

from model import Model, chat_model

from ai_memory_integrations import Memory

SYSTEM = "You are a helpful assistant. Use what you remember of the user when it matters."
HISTORY = 20


def turn(memory: Memory, model: Model, user_id: str, said: str) -> str:
    """One answer, with memory in the prompt; what was said is kept and learnt."""
    system = "\n\n".join(filter(None, (SYSTEM, memory.prompt(user_id, query=said))))
    history = [{"role": each.role, "content": each.text} for each in memory.list_messages(user_id, limit=HISTORY)]
    spoken = {"role": "user", "content": said}
    answer = model([{"role": "system", "content": system}, *history, spoken])
    memory.add_messages(user_id, [spoken, {"role": "assistant", "content": answer}])
    return answer


def main(user_id: str) -> None:
    with Memory("chat.db") as memory:
        model = chat_model()
        print(f"Chatting as {user_id}. An empty line ends it.")
        while said := _line():
            print(f"AI: {turn(memory, model, user_id, said)}")
        memory.flush(user_id)
        print(f"\nWhat is remembered of {user_id}:\n\n{memory.prompt(user_id) or 'nothing yet'}")


def _line() -> str:
    try:
        return input("You: ").strip()
    except EOFError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "default_user")
