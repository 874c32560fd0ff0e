"""As much of Letta's REST API as a memory uses, in this process: the same contracts in a hundredth of the time.

It does what the real server was seen to do, also where that is odd: a description with U+0000 fails, tags of passages
are filtered after the limit, a second block of one label is a conflict, a deleted agent leaves its blocks behind. What
it is asked is in `seen`.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from letta.stub_model import embed
from letta_client import Letta

Json = Any
_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Json]]] = []


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def route(method: str, path: str) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")

    def add(call: Callable[..., Json]) -> Callable[..., Json]:
        _ROUTES.append((method, pattern, call))
        return call

    return add


class FakeLetta:
    """Use `client()`. Every run ends at once; what its message says is added to the blocks that the agent sees."""

    def __init__(self) -> None:
        self.agents: dict[str, dict[str, Any]] = {}
        self.blocks: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.archives: dict[str, dict[str, Any]] = {}
        self.passages: dict[str, dict[str, Any]] = {}
        self.seen: list[str] = []
        self._lock = threading.RLock()
        self._clock = datetime.now(UTC)

    def client(self, key: str = "x") -> Letta:
        transport = httpx.MockTransport(self.answer)
        return Letta(base_url="http://fake", api_key=key, http_client=httpx.Client(transport=transport))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.path}")
        body = json.loads(request.content) if request.content else {}
        for method, pattern, call in _ROUTES:
            match = pattern.match(request.url.path)
            if match and method == request.method:
                with self._lock:
                    try:
                        return httpx.Response(200, json=call(self, request.url.params, body, **match.groupdict()))
                    except Refused as refused:
                        return httpx.Response(refused.status, json={"detail": refused.detail})
        return httpx.Response(404, json={"detail": f"no route {request.method} {request.url.path}"})

    def now(self) -> str:
        self._clock = max(datetime.now(UTC), self._clock + timedelta(microseconds=1))
        return self._clock.isoformat()

    def one(self, kind: str, key: str) -> dict[str, Any]:
        found = getattr(self, f"{kind}s").get(key)
        if found is None:
            raise Refused(404, f"{kind} {key} not found")
        return dict(found) if kind == "none" else found

    def state(self, agent: dict[str, Any]) -> dict[str, Any]:
        return {**agent, "blocks": [self.blocks[each] for each in agent["block_ids"] if each in self.blocks]}

    def archive_of(self, agent_id: str) -> str | None:
        return next((key for key, each in self.archives.items() if agent_id in each["agents"]), None)


def _id(kind: str) -> str:
    return f"{kind}-{uuid.uuid4()}"


def _text(value: str) -> str:
    return value.replace("\x00", "")


def _page(found: list[dict[str, Any]], params: httpx.QueryParams) -> list[dict[str, Any]]:
    found = sorted(found, key=lambda each: (each["created_at"], each["id"]))
    if params.get("order", "desc") == "desc" and params.get("ascending") != "true":
        found.reverse()
    if after := params.get("after"):
        place = next((number for number, each in enumerate(found) if each["id"] == after), -1)
        found = found[place + 1 :]
    return found[: int(params.get("limit", 50))]


# the server


@route("GET", "/v1/health/")
def _health(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    return {"status": "ok", "version": "fake"}


@route("GET", "/v1/models/")
def _models(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    return [{"handle": "openai/gpt-4.1"}]


@route("GET", "/v1/models/embedding")
def _embeddings(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    return [{"handle": "openai/text-embedding-3-small"}]


# agents


@route("GET", "/v1/agents/")
def _list_agents(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    tags = set(params.get_list("tags"))
    fits = tags.issubset if params.get("match_all_tags") == "true" else lambda there: bool(tags & set(there))
    return [fake.state(agent) for agent in _page([a for a in fake.agents.values() if fits(a["tags"])], params)]


@route("POST", "/v1/agents/")
def _create_agent(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    if body.get("model", "openai/gpt-4.1") != "openai/gpt-4.1":
        raise Refused(404, f"NOT_FOUND: Handle {body['model']} not found, must be one of []")
    if not re.fullmatch(r"[\w\- ']*", body["name"]):
        raise Refused(500, "Export failed: the name contains invalid characters")
    agent_id = _id("agent")
    made = [_create_block(fake, params, block) for block in body.get("memory_blocks", ())]
    fake.agents[agent_id] = {
        "id": agent_id,
        "name": body["name"],
        "embedding": body.get("embedding"),
        "tags": sorted(set(body.get("tags", ()))),
        "metadata": body.get("metadata", {}),
        "created_at": fake.now(),
        "block_ids": [block["id"] for block in made],
        "seen_blocks": [block["id"] for block in made],
    }
    return fake.state(fake.agents[agent_id])


@route("GET", "/v1/agents/{agent}")
def _get_agent(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    return fake.state(fake.one("agent", agent))


@route("PATCH", "/v1/agents/{agent}")
def _update_agent(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    fake.one("agent", agent).update(body)
    return fake.state(fake.agents[agent])


@route("DELETE", "/v1/agents/{agent}")
def _delete_agent(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    fake.one("agent", agent)
    del fake.agents[agent]
    fake.runs = {key: run for key, run in fake.runs.items() if run["agent_id"] != agent}
    for archive in fake.archives.values():
        archive["agents"].discard(agent)
    return {}


@route("POST", "/v1/agents/{agent}/recompile")
def _recompile(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    state = fake.one("agent", agent)
    state["seen_blocks"] = list(state["block_ids"])
    return "prompt"


# blocks


@route("GET", "/v1/agents/{agent}/core-memory/blocks")
def _agent_blocks(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    return _page(fake.state(fake.one("agent", agent))["blocks"], params)


@route("PATCH", "/v1/agents/{agent}/core-memory/blocks/attach/{block}")
def _attach(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str, block: str) -> Json:
    state, new = fake.one("agent", agent), fake.one("block", block)
    if any(each["label"] == new["label"] and each["id"] != block for each in fake.state(state)["blocks"]):
        raise Refused(409, "the agent has a block of that label")
    if block not in state["block_ids"]:
        state["block_ids"].append(block)
    return fake.state(state)


@route("PATCH", "/v1/agents/{agent}/core-memory/blocks/detach/{block}")
def _detach(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str, block: str) -> Json:
    state = fake.one("agent", agent)
    if block not in state["block_ids"]:
        raise Refused(404, "the agent has no such block")
    state["block_ids"].remove(block)
    return fake.state(state)


@route("GET", "/v1/blocks/")
def _list_blocks(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    held = {each for agent in fake.agents.values() for each in agent["block_ids"]}
    tags = set(params.get_list("tags"))
    found = [each for each in fake.blocks.values() if tags <= set(each["tags"])]
    if params.get_list("connected_to_agents_count_eq"):
        found = [each for each in found if each["id"] not in held]
    return _page(found, params)


@route("POST", "/v1/blocks/")
def _create_block(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    if "\x00" in (body.get("description") or ""):
        raise Refused(500, "A database error occurred.")
    block_id = _id("block")
    fake.blocks[block_id] = {
        "id": block_id,
        "label": body["label"],
        "value": _text(body["value"]),
        "description": body.get("description"),
        "limit": body.get("limit", 100_000),
        "read_only": body.get("read_only", False),
        "tags": body.get("tags", []),
        "created_at": fake.now(),
    }
    return fake.blocks[block_id]


@route("PATCH", "/v1/blocks/{block}")
def _update_block(fake: FakeLetta, params: httpx.QueryParams, body: Json, block: str) -> Json:
    fake.one("block", block).update({key: _text(v) if isinstance(v, str) else v for key, v in body.items()})
    for agent in fake.agents.values():
        if block in agent["block_ids"]:
            agent["seen_blocks"] = list(agent["block_ids"])
    return fake.blocks[block]


@route("DELETE", "/v1/blocks/{block}")
def _delete_block(fake: FakeLetta, params: httpx.QueryParams, body: Json, block: str) -> Json:
    fake.one("block", block)
    del fake.blocks[block]
    for agent in fake.agents.values():
        agent["block_ids"] = [each for each in agent["block_ids"] if each != block]
    return {}


@route("GET", "/v1/blocks/{block}/agents")
def _block_agents(fake: FakeLetta, params: httpx.QueryParams, body: Json, block: str) -> Json:
    fake.one("block", block)
    return [fake.state(agent) for agent in fake.agents.values() if block in agent["block_ids"]]


# messages and runs


@route("POST", "/v1/agents/{agent}/messages/async")
def _send(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    state = fake.one("agent", agent)
    (message,) = body["messages"]
    for said in re.findall(r"user[^\n]*: (.+)", message["content"]):
        for block in state["seen_blocks"]:
            if block in fake.blocks:
                value = fake.blocks[block]["value"]
                fake.blocks[block]["value"] = f"{value}\n{_text(said)}" if value else _text(said)
    run_id = _id("run")
    fake.runs[run_id] = {
        "id": run_id,
        "agent_id": agent,
        "status": "completed",
        "stop_reason": "tool_rule",
        "created_at": fake.now(),
        "completed_at": fake.now(),
        "metadata": {},
        "request_config": {"assistant_message_tool_kwarg": body.get("assistant_message_tool_kwarg")},
    }
    return {**fake.runs[run_id], "status": "created"}


@route("GET", "/v1/agents/{agent}/messages")
def _messages(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    return []


@route("GET", "/v1/runs/")
def _list_runs(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    found = [run for run in fake.runs.values() if run["agent_id"] == params.get("agent_id")]
    if params.get("active") == "true":
        found = [run for run in found if run["status"] in ("created", "running")]
    return _page(found, params)


@route("GET", "/v1/runs/{run}")
def _get_run(fake: FakeLetta, params: httpx.QueryParams, body: Json, run: str) -> Json:
    return fake.one("run", run)


# archives and passages


@route("GET", "/v1/archives/")
def _list_archives(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    agent, name = params.get("agent_id"), params.get("name")
    found = [each for each in fake.archives.values() if name in (None, each["name"])]
    return [_shown(each) for each in _page([a for a in found if agent is None or agent in a["agents"]], params)]


@route("GET", "/v1/archives/{archive}/agents")
def _archive_agents(fake: FakeLetta, params: httpx.QueryParams, body: Json, archive: str) -> Json:
    holders = fake.archives.get(archive, {}).get("agents", ())
    return [fake.state(agent) for agent in _page([fake.agents[each] for each in holders], params)]


@route("POST", "/v1/archives/")
def _create_archive(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    archive_id = _id("archive")
    fake.archives[archive_id] = {"id": archive_id, "name": body["name"], "created_at": fake.now(), "agents": set()}
    return _shown(fake.archives[archive_id])


def _shown(archive: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in archive.items() if key != "agents"}


@route("GET", "/v1/archives/{archive}")
def _get_archive(fake: FakeLetta, params: httpx.QueryParams, body: Json, archive: str) -> Json:
    return _shown(fake.one("archive", archive))


@route("PATCH", "/v1/agents/{agent}/archives/attach/{archive}")
def _attach_archive(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str, archive: str) -> Json:
    fake.one("agent", agent)
    if fake.archive_of(agent) not in (None, archive):
        raise Refused(409, "the agent has another archive")
    fake.one("archive", archive)["agents"].add(agent)
    return None


@route("PATCH", "/v1/agents/{agent}/archives/detach/{archive}")
def _detach_archive(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str, archive: str) -> Json:
    fake.one("archive", archive)["agents"].discard(agent)
    return None


@route("DELETE", "/v1/archives/{archive}")
def _delete_archive(fake: FakeLetta, params: httpx.QueryParams, body: Json, archive: str) -> Json:
    fake.one("archive", archive)
    del fake.archives[archive]
    fake.passages = {key: each for key, each in fake.passages.items() if each["archive_id"] != archive}
    return None


@route("POST", "/v1/archives/{archive}/passages/batch")
def _create_passages(fake: FakeLetta, params: httpx.QueryParams, body: Json, archive: str) -> Json:
    fake.one("archive", archive)
    return [_new_passage(fake, archive, each) for each in body["passages"]]


def _new_passage(fake: FakeLetta, archive: str, given: dict[str, Any]) -> dict[str, Any]:
    passage_id = _id("passage")
    if any("\x00" in tag for tag in given.get("tags") or ()):
        raise Refused(500, "A database error occurred.")
    fake.passages[passage_id] = {
        "id": passage_id,
        "text": _text(given["text"]),
        "tags": sorted(set(given.get("tags") or ())),
        "metadata": given.get("metadata") or {},
        "created_at": datetime.fromisoformat(given.get("created_at") or fake.now()).astimezone(UTC).isoformat(),
        "archive_id": archive,
    }
    return fake.passages[passage_id]


@route("DELETE", "/v1/archives/{archive}/passages/{passage}")
def _delete_passage(fake: FakeLetta, params: httpx.QueryParams, body: Json, archive: str, passage: str) -> Json:
    fake.one("passage", passage)
    del fake.passages[passage]
    return None


@route("GET", "/v1/agents/{agent}/archival-memory")
def _agent_passages(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    archive = fake.archive_of(agent)
    text = params.get("search")
    found = [each for each in fake.passages.values() if each["archive_id"] == archive]
    return _page([each for each in found if text is None or text in each["text"]], params)


@route("GET", "/v1/agents/{agent}/archival-memory/search")
def _search(fake: FakeLetta, params: httpx.QueryParams, body: Json, agent: str) -> Json:
    fake.one("agent", agent)
    archive = fake.archive_of(agent)
    if not params.get("query"):
        raise Refused(422, "query: too short")
    wanted = embed(params["query"])
    found = [each for each in fake.passages.values() if each["archive_id"] == archive and _is_within(each, params)]
    found.sort(key=lambda each: -sum(a * b for a, b in zip(wanted, embed(each["text"]), strict=True)))
    results = [
        {"id": each["id"], "content": each["text"], "timestamp": each["created_at"], "tags": each["tags"]}
        for each in found[: int(params.get("top_k", 5))]
    ]
    return {"count": len(results), "results": results}


def _is_within(passage: dict[str, Any], params: httpx.QueryParams | dict[str, Any]) -> bool:
    at = datetime.fromisoformat(passage["created_at"])
    first = params.get("start_datetime") or params.get("start_date")
    last = params.get("end_datetime") or params.get("end_date")
    return (not first or at >= datetime.fromisoformat(first)) and (not last or at <= datetime.fromisoformat(last))


@route("POST", "/v1/passages/search")
def _find(fake: FakeLetta, params: httpx.QueryParams, body: Json) -> Json:
    archive = body.get("archive_id") or fake.archive_of(body.get("agent_id", ""))
    found = [each for each in fake.passages.values() if each["archive_id"] == archive and _is_within(each, body)]
    found.sort(key=lambda each: each["created_at"])
    return [{"passage": each, "score": 0.0} for each in found[: body.get("limit", 50)]]
