"""The servers that are compared, started with equal settings, and how keys get into them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess

# Nothing is written to disk unless a measurement asks for it; all else is each server's default.
OPTIONS = {"save": "", "appendonly": "no"}


# An odd number without pattern: its multiples modulo 2**128 look random.
MULTIPLIER = 0x9E3779B97F4A7C15F39CC0605CEDC835


@dataclass(frozen=True)
class Cores:
    """Which core runs the server and which the clients; None where there is just one."""

    server: int | None
    client: int | None

    @classmethod
    def choose(cls) -> "Cores":
        """Two of the cores this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)

    def pin_clients(self) -> None:
        """Keep this process, and all load generators it starts, off the server's core."""
        if self.client is not None:
            os.sched_setaffinity(0, {self.client})


@dataclass(frozen=True)
class Contender:
    """One of the servers: its name in the tables, and how to start it."""

    name: str
    make: Callable[..., ServerProcess]

    @contextmanager
    def running(
        self, cores: Cores, options: dict[str, str] | None = None
    ) -> Iterator[ServerProcess]:
        """A fresh, empty server on its core; `options` are set besides the usual ones."""
        chosen = {**OPTIONS, **(options or {})}
        with self.make(chosen, pin_to_core=cores.server, startup_timeout_s=60) as server:
            yield server


CONTENDERS = {"redis": Contender("Redis", RealRedis), "balas": Contender("Balas", BalasProcess)}


def commands_in_bulk(
    count: int, encode_one: Callable[[int], bytes], batch: int
) -> Iterator[tuple[bytes, int]]:
    """The requests 0..count-1 in batches: the bytes, and how many requests they hold."""
    for start in range(0, count, batch):
        end = min(start + batch, count)
        yield b"".join(map(encode_one, range(start, end))), end - start


def value_32(number: int) -> bytes:
    """A value of 32 bytes that differs from key to key and does not compress."""
    return b"%032x" % (number * MULTIPLIER % 2**128)


def fill(
    client: Client,
    count: int,
    prefix: bytes = b"key:",
    value_of: Callable[[int], bytes] = value_32,
    batch: int = 5000,
) -> None:
    """Store `count` keys named as redis-benchmark names them: prefix and twelve digits.

    RuntimeError if the server refused one.
    """

    def encode_one(number: int) -> bytes:
        value = value_of(number)
        return b"*3\r\n$3\r\nSET\r\n$%d\r\n%b%012d\r\n$%d\r\n%b\r\n" % (
            (len(prefix) + 12, prefix, number, len(value), value)
        )

    for data, requests in commands_in_bulk(count, encode_one, batch):
        client.send_raw(data)
        for _ in range(requests):
            if client.read() != b"OK":
                raise RuntimeError("SET was refused while the keys were loaded")


def info(client: Client, section: str) -> dict[str, str]:
    """The fields of one section of INFO."""
    lines = client("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
