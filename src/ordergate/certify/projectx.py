"""The adapter of the ProjectX Gateway API, opened for a certification as the connection manager opens it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from ordergate.broker.connection import Connection
from ordergate.broker.last_hop import LastHop, Live
from ordergate.broker.reading import Reader
from ordergate.certify.venue import Hear, Site, Tell
from ordergate.core.reports import Report


@contextlib.asynccontextmanager
async def projectx(site: Site, hear: Hear, tell: Tell) -> AsyncIterator[LastHop]:
    """The live last hop, kept connected until the block ends."""

    async def publish(report: Report) -> None:
        hear(report)

    async def shown(report: Report) -> Report | None:
        return await live.shown(report)

    connection = Connection(
        network=site.network,
        clock=site.clock,
        settings=site.settings,
        rng=random.Random(site.settings.credentials.user_name),
        publish=publish,
        shown=shown,
        tell=tell,
    )
    reader = Reader(connection.client, connection.catalogue, site.clock)
    live = Live(connection.client, reader, connection.promised)
    await live.open()
    await connection.begin()
    await connection.log_in()
    running = [asyncio.ensure_future(live.run()), asyncio.ensure_future(connection.run())]
    try:
        yield live
    finally:
        for task in running:
            task.cancel()
        for ended in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
