"""Run by the Python of the server's own environment: `serve.py PORT`, with LETTA_PG_URI naming a database.

Makes the tables of Letta 0.16.8 when they are not there, then serves on loopback until the standard input ends: that
happens too when whoever started it was killed. `--secure` after the port asks for the password LETTA_SERVER_PASSWORD.
"""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
import threading
from functools import cache


def main() -> None:
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    asyncio.run(_make_tables())
    import nltk  # the server fetches data for it when it starts, which none of this needs
    from letta.server.rest_api.app import start_server

    nltk.download = lambda *_, **__: False
    gc.freeze()  # it collects after every run, which would go through all that it has imported: most of its work
    ssl.create_default_context = cache(ssl.create_default_context)  # read for each embedding, to speak plain HTTP
    start_server(port=int(sys.argv[1]), host="127.0.0.1")


def _end_with_the_input() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


async def _make_tables() -> None:
    """The package comes without its migrations. Its tables are enough, with one default that only those know."""
    import letta.orm
    from letta.server.db import engine
    from sqlalchemy import text

    async with engine.begin() as connection:
        if (await connection.execute(text("select to_regclass('public.agents')"))).scalar() is None:
            await connection.execute(text("create extension if not exists vector"))
            await connection.execute(text("create sequence message_seq_id"))
            await connection.run_sync(letta.orm.Base.metadata.create_all)
            await connection.execute(
                text("alter table messages alter column sequence_id set default nextval('message_seq_id')")
            )
    await engine.dispose()


if __name__ == "__main__":
    main()
