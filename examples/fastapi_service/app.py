"""A service that remembers its users: one `Memory` at module level, async handlers, as many workers as wanted.

    uvicorn app:app --workers 4
    gunicorn app:app --preload --workers 4 --worker-class uvicorn.workers.UvicornWorker

`Memory()` opens nothing before its first use, so that a preloading server may import this module and fork. All
workers keep memory in the one file (or database) that AI_MEMORY_URL names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from ai_memory_integrations import ErasureReceipt, Memory, Stats

memory = Memory()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with memory.aio:
        yield


app = FastAPI(lifespan=lifespan)


class Turn(BaseModel):
    """What a user says. With the client's own *id* a request that is sent again is not learnt again."""

    id: str | None = None
    text: str
    thread_id: str | None = None


class Answer(BaseModel):
    text: str
    run_id: str


@app.post("/users/{user_id}/turns")
async def turn(user_id: str, said: Turn) -> Answer:
    prompt = await memory.aio.prompt(user_id, query=said.text)
    answer = await call_model(prompt, said.text)
    messages = [
        {"id": said.id, "role": "user", "content": said.text},
        {"id": said.id and f"{said.id}-answer", "role": "assistant", "content": answer},
    ]
    run_id = await memory.aio.add_messages(user_id, messages, thread_id=said.thread_id)
    return Answer(text=answer, run_id=run_id)


@app.get("/users/{user_id}/memory")
async def remembered(user_id: str) -> dict[str, str]:
    return {block.label: block.value for block in await memory.aio.list_blocks(user_id)}


@app.delete("/users/{user_id}")
async def forget(user_id: str) -> ErasureReceipt:
    receipt = await memory.aio.delete_subject(user_id)
    if receipt is None:
        raise HTTPException(404, f"nothing is known of {user_id!r}")
    return receipt


@app.get("/health")
async def health() -> Stats:
    return await memory.aio.stats()


async def call_model(prompt: str, text: str) -> str:
    """Put your model here; *prompt* goes into its system message."""
    return f"You said {text!r}, and I remember {len(prompt.splitlines())} lines."
