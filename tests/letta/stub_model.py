"""A language model and an embedding model that a Letta server can call: OpenAI's API on loopback, nothing to learn.

The language model does what a memory agent's model does: for each thing that users said, it edits every block that it
sees in its system prompt, then it ends the turn. The embedding model hashes words, with a few concepts, so that
"animals" finds "I love cats".

A text can say how it wants to be treated; directives work for that text alone, so tests share one model:

    [[status=500]]      answer with this HTTP status; [[times=2]] beside it: only to the first two calls;
                        [[after=1]]: not to the first one
    [[sleep=3]]         wait so many seconds before each answer
    [[until=PATH]]      wait before each answer until there is such a file
    [[drop]]            close the connection without an answer
    [[noop]]            end the turn without an edit
    [[loop]]            edit for ever
    [[refuse]]          talk, where a tool call is demanded
    [[garbled]]         call the tool with arguments that are no JSON
    [[long=5000]]       write so many characters
    [[forget]]          write nothing over what is there
    [[label=human]]     edit this block only, even one that is not seen
    [[tool=NAME]]       edit with this tool
    [[value=TEXT]]      write this

`status`, `sleep`, `until` and `drop` are obeyed by embeddings as well, in the text or the query.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import struct
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

LANGUAGE_MODEL, EMBEDDING_MODEL = "gpt-4.1", "text-embedding-3-small"
DIMENSIONS = 1536
LONGEST_WAIT = 240.0
EDITS = ("memory_insert", "memory_rethink", "memory_replace", "core_memory_append")
ENDS = ("memory_finish_edits", "send_message")

_DIRECTIVE = re.compile(r"\[\[(\w+)(?:=([^\]]*))?\]\]")
_FACT = re.compile(
    r"\b(?:my name is|my favou?rite|call me|i am|i'm|i love|i like|i live|i work|i have|i prefer|i hate|i moved)\b"
    r"[^.\n!?<\"\[]*",
    re.IGNORECASE,
)
_CONCEPTS = (
    "animal animals cat cats dog dogs horse horses pet pets rabbit puppy kitten",
    "food eat eats eating pizza pasta sushi vegan vegetarian breakfast lunch dinner peanut peanuts",
    "work works job career engineer doctor teacher teaching company",
    "live lives living city town home moved paris rome london berlin lisbon",
    "music guitar piano song songs band jazz",
)
_CONCEPT_OF = {word: f"concept {number}" for number, line in enumerate(_CONCEPTS) for word in line.split()}
_NO_CONTENT = frozenset(
    "a an and are as at be do for have i in is it my of on that the this to was what with you".split()
)


@dataclass(frozen=True)
class Call:
    """What was asked: *kind* is "chat" or "embeddings", *text* what it was about, *tools* what the model could call."""

    kind: str
    text: str
    system: str = ""
    tools: tuple[str, ...] = ()


@dataclass
class Model:
    """What it was asked is kept, the newest thousand."""

    url: str
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=1000))
    refused: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def serving() -> Iterator[Model]:
    """A model on a free port of this machine, until the block ends. Its `url` ends in `/v1`."""

    class Bound(Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    server.daemon_threads = True
    Bound.model = Model(f"http://127.0.0.1:{server.server_address[1]}/v1")
    Thread(target=server.serve_forever, name="stub model", daemon=True).start()
    try:
        yield Bound.model
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    model: Model
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        names = (LANGUAGE_MODEL, EMBEDDING_MODEL)
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "stub"} for name in names]
        self._answer({"object": "list", "data": [{**each, "max_model_len": 128_000} for each in models]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if self.path.endswith("/embeddings"):
            self._embed(asked)
        elif self.path.endswith("/chat/completions"):
            self._chat(asked)
        else:
            self._answer({"error": {"message": f"no such path: {self.path}"}}, 404)

    def _embed(self, asked: dict[str, Any]) -> None:
        texts = [asked["input"]] if isinstance(asked["input"], str) else list(asked["input"])
        for text in texts:
            self.model.calls.append(Call("embeddings", text))
        if self._is_treated_badly("\n".join(texts)):
            return
        vectors: list[Any] = [embed(text, asked.get("dimensions") or DIMENSIONS) for text in texts]
        if asked.get("encoding_format") == "base64":
            vectors = [base64.b64encode(struct.pack(f"<{len(each)}f", *each)).decode() for each in vectors]
        data = [{"object": "embedding", "index": n, "embedding": each} for n, each in enumerate(vectors)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        self._answer({"object": "list", "model": asked.get("model"), "data": data, "usage": usage})

    def _chat(self, asked: dict[str, Any]) -> None:
        turn = Turn.of(asked)
        self.model.calls.append(Call("chat", turn.said, turn.system, tuple(turn.tools)))
        if self._is_treated_badly(turn.said):
            return
        message = turn.next_message()
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.get("model")}
        usage = {"prompt_tokens": turn.tokens, "completion_tokens": 20, "total_tokens": turn.tokens + 20}
        if not asked.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self._answer({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        calls = [{"index": 0, **call} for call in message.get("tool_calls", [])]
        delta = {**message, **({"tool_calls": calls} if calls else {})}
        chunk = {**head, "object": "chat.completion.chunk"}
        parts = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
            {**chunk, "choices": [], "usage": usage},
        ]
        said = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
        self._send(said.encode(), 200, "text/event-stream")

    def _is_treated_badly(self, text: str) -> bool:
        """Obey what *text* says about how its call is treated. True when the call has had its answer."""
        wanted = directives(text)
        if "sleep" in wanted:
            time.sleep(float(wanted["sleep"]))
        if "until" in wanted:
            deadline = time.monotonic() + LONGEST_WAIT
            while not os.path.exists(wanted["until"]) and time.monotonic() < deadline:
                time.sleep(0.02)
        if "drop" in wanted:
            self.close_connection = True
            return True
        if "status" not in wanted:
            return False
        with self.model.lock:
            self.model.refused[text] += 1
            number = self.model.refused[text]
            after = int(wanted.get("after", "0"))
            enough = not after < number <= after + int(wanted.get("times", "1000000"))
        if not enough:
            status = int(wanted["status"])
            self._answer({"error": {"message": f"refused with {status}", "type": "stub", "code": "stub"}}, status)
        return not enough

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(body).encode(), status, "application/json")

    def _send(self, body: bytes, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        # Letta makes a client for every call and never closes it. When such a client is collected while its connection
        # is kept alive, it takes the event loop's watch off whatever socket has got the same number since, often one to
        # PostgreSQL, and that request hangs for a minute.
        self.send_header("connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True)
class Turn:
    """One call of the language model: what users *said*, the *system* prompt, the *tools* offered, those *called*."""

    said: str
    system: str
    tools: dict[str, dict[str, Any]]
    called: list[str]
    tokens: int

    @classmethod
    def of(cls, asked: dict[str, Any]) -> Turn:
        messages = [(each["role"], _text(each.get("content")), each) for each in asked.get("messages", [])]
        users = [
            n for n, (role, text, _) in enumerate(messages) if role == "user" and '"type": "heartbeat"' not in text
        ]
        last = users[-1] if users else len(messages) - 1
        tools = {each["function"]["name"]: each["function"] for each in asked.get("tools") or []}
        after = [call for _, _, each in messages[last + 1 :] for call in each.get("tool_calls") or []]
        return cls(
            said=messages[last][1] if messages else "",
            system="\n".join(text for role, text, _ in messages if role in ("system", "developer")),
            tools=tools,
            called=[call["function"]["name"] for call in after],
            tokens=sum(len(text) for _, text, _ in messages) // 4,
        )

    def next_message(self) -> dict[str, Any]:
        wanted = directives(self.said)
        if not self.tools or "refuse" in wanted:
            return {"role": "assistant", "content": "I have nothing to do."}
        labels = [wanted["label"]] if "label" in wanted else re.findall(r"<([\w.-]+)>\n<description>", self.system)
        edits = sum(name in EDITS for name in self.called)
        tool = wanted.get("tool") or ("memory_rethink" if "forget" in wanted else "")
        tool = tool if tool in self.tools else next((name for name in EDITS if name in self.tools), "")
        if tool and labels and "noop" not in wanted and (edits < len(labels) or "loop" in wanted):
            return self._call(tool, self._edit(labels[edits % len(labels)], wanted))
        end = next((name for name in ENDS if name in self.tools and name not in self.called), "")
        if end:
            return self._call(end, {"message": "Noted."})
        return {"role": "assistant", "content": "Noted."}

    def _edit(self, label: str, wanted: dict[str, str]) -> dict[str, Any]:
        written = "; ".join(facts(self.said))
        if label == "summary":
            written = f"Talked about: {written[:150]}"
        if "long" in wanted:
            written = "x" * int(wanted["long"])
        written = "" if "forget" in wanted else wanted.get("value", written)
        names = ("new_string", "new_str", "new_memory", "content")
        return {"label": label, "insert_line": -1, "old_string": "", **dict.fromkeys(names, written)}

    def _call(self, tool: str, known: dict[str, Any]) -> dict[str, Any]:
        """A call of *tool* with what is *known* of its parameters, the required rest made up."""
        schema = self.tools[tool].get("parameters") or {}
        made_up = {"string": "stub", "integer": 0, "number": 0, "boolean": True, "array": [], "object": {}}
        arguments = {
            name: known.get(name, made_up.get(about.get("type"), "stub"))
            for name, about in schema.get("properties", {}).items()
            if name in known or name in schema.get("required", [])
        }
        said = "{not json" if "garbled" in directives(self.said) else json.dumps(arguments)
        function = {"name": tool, "arguments": said}
        call = {"id": f"call_{uuid.uuid4().hex[:20]}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}


def directives(text: str) -> dict[str, str]:
    return {name: value or "" for name, value in _DIRECTIVE.findall(text)}


def facts(said: str) -> list[str]:
    """What users say about themselves; without such, the last line that a user said."""
    lines = re.findall(r"^\s*user: (.*)$", said, re.MULTILINE) or [said]
    found = [match.group(0).strip() for line in lines for match in _FACT.finditer(line)]
    rest = re.sub(r"<[^>]*>|\[\[[^\]]*\]\]", " ", lines[-1]).strip()[:200]
    return list(dict.fromkeys(found)) or [rest]


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Words hashed to places, of length 1."""
    values = [0.0] * dimensions
    for word in re.findall(r"[^\W_]+", text.lower()):
        if word in _NO_CONTENT:
            continue
        for feature in filter(None, (word.removesuffix("s"), _CONCEPT_OF.get(word))):
            digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
            values[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length else [1.0, *values[1:]]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
