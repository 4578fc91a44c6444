"""WEB.GET: a read-through cache over HTTP, with a command that is `async def`."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from functools import partial

from balas.api import (
    ACCESS,
    DENYOOM,
    RW,
    UPDATE,
    WRITE,
    Attachment,
    Context,
    Module,
    Option,
    Reply,
    ReplyError,
    command,
    hook,
    key,
)

NOT_FOUND = 404


@command("WEB.GET", arity=2, flags=WRITE | DENYOOM, keys=key(1, RW | ACCESS | UPDATE))
async def get(ctx: Context, key: bytes) -> Reply:
    """WEB.GET path

    Return what is kept for the path, or else ask the origin for it and keep that.
    """
    module = ctx.service(ReadThrough)
    kept = ctx.write_string(key)
    if kept is not None:
        if 0 <= ctx.expire_at(key) <= ctx.now_ms + module.server.option("readthrough-stale-ms"):
            module.refresh(key, ctx.client.db.index)
        return kept
    body, is_first = await module.fetch(key)
    # Others were served meanwhile: the key may hold something else by now.
    if body is not None and is_first and not ctx.there(key):
        expire_ms = module.expire_ms()
        ctx.store(key, body, expire_at=expire_ms)
        ctx.changed(key, "web.get")
        ctx.record(b"SET", key, body, b"PXAT", b"%d" % expire_ms)
    return body


def download(url: str, timeout_s: float) -> bytes | None:
    """The body at a URL; None if it is not found. Raises OSError. Runs in a thread."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            if error.code == NOT_FOUND:
                return None
            raise


class ReadThrough(Module):
    """The options, and the requests under way."""

    name = "readthrough"
    version = 100
    api_version = "1.0"
    options = (
        Option("readthrough-origin", ""),
        Option("readthrough-ttl-ms", 60_000, low=1, high=10**12),
        Option("readthrough-stale-ms", 0, low=0, high=10**12),
        Option("readthrough-timeout-ms", 5_000, low=1, high=10**6),
    )

    @hook
    def load(self, server: Attachment) -> None:
        """Begin without requests."""
        self.server = server
        self.requests = 0
        self._under_way: dict[bytes, asyncio.Future[bytes | None]] = {}

    @hook
    def info(self) -> dict[str, dict[str, int]]:
        """INFO readthrough."""
        return {"requests": {"sent": self.requests, "under_way": len(self._under_way)}}

    def expire_ms(self) -> int:
        """When an answer that comes now is to be forgotten: it is good, then stale, then gone."""
        kept_ms = self.server.option("readthrough-ttl-ms")
        return int(self.server.now_ms + kept_ms + self.server.option("readthrough-stale-ms"))

    def refresh(self, path: bytes, db: int) -> None:
        """Ask the origin again, beside everything else, unless somebody does already."""
        if path not in self._under_way:
            self.server.background(partial(self._refresh, path, db))

    async def _refresh(self, path: bytes, db: int) -> None:
        try:
            body, is_first = await self.fetch(path)
        except ReplyError as error:
            self.server.warn(f"{path.decode('latin-1')} stays as it is: {error.text}")
            return
        if body is None:
            self.server.call(b"DEL", path, db=db)
        elif is_first:
            self.server.call(b"SET", path, body, b"PXAT", b"%d" % self.expire_ms(), db=db)

    async def fetch(self, path: bytes) -> tuple[bytes | None, bool]:
        """The answer for a path, and whether this call is the one that asked.

        Raises ReplyError if the origin does not answer as it should.
        """
        origin = self.server.option("readthrough-origin")
        if not origin.startswith(("http://", "https://")):
            raise ReplyError("ERR set readthrough-origin to an address that begins with http")
        is_first = path not in self._under_way
        if is_first:
            self.requests += 1
            url = origin.rstrip("/") + "/" + path.decode("latin-1").lstrip("/")
            timeout_s = self.server.option("readthrough-timeout-ms") / 1000
            work = asyncio.ensure_future(asyncio.to_thread(download, url, timeout_s))
            self._under_way[path] = work
            work.add_done_callback(lambda _: self._under_way.pop(path, None))
        try:
            return await asyncio.shield(self._under_way[path]), is_first
        except (OSError, ValueError) as error:
            raise ReplyError(f"ERR the origin failed: {error}") from None
