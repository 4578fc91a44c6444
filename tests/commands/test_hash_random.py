"""Random commands on hashes have the same consequences as in Redis: replies, events, records."""

import os
import random
import time

from balas.testing import InProcessServer, RealRedis
from balas.testing.transcript import Comparison
from observation import BalasObserver, RealObserver

COMMANDS = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "500"))
WRONG_MAX = 5

MOMENTS = ["33177117420000", "33177117421000", "33177117422000"]
ODD_MOMENTS = ["1", "0", "70368744177663", "-1", "x"]
VALUES = ["1", "5", "-3", "2.5", "x", "", "9223372036854775807", "y" * 70]
CONDITIONS = [[], [], [], ["NX"], ["XX"], ["GT"], ["LT"]]


class Chance:
    """Makes commands by chance; keys and fields are few, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def field(self) -> str:
        return self.random.choice(["a", "b", "c", "d", "e", "12", "x" * 70])

    def value(self) -> str:
        return self.random.choice(VALUES)

    def moment(self) -> str:
        return self.random.choice(ODD_MOMENTS if self.random.random() < 0.2 else MOMENTS)

    def fields(self, at_most: int = 3) -> list[str]:
        return [self.field() for _ in range(self.random.randint(1, at_most))]

    def pairs(self) -> list[str]:
        return [text for field in self.fields() for text in (field, self.value())]

    def named(self) -> list[str]:
        fields = self.fields()
        count = len(fields) if self.random.random() < 0.95 else self.random.choice([0, 9])
        return ["FIELDS", str(count), *fields]

    def expiry(self, *others: str) -> list[str]:
        option = self.random.choice(["PXAT", *others])
        return [option, self.moment()] if option == "PXAT" else [option] if option else []

    def options(self) -> list[str]:
        return [*self.random.choice([[], ["FNX"], ["FXX"]]), *self.expiry("KEEPTTL", "")]

    def command(self) -> list[str]:
        pick = self.random.choice
        key = pick(["h", "h", "h", "g", "s"])
        pairs = self.pairs()
        return pick(
            [
                ["HSET", key, *pairs],
                ["HSETNX", key, self.field(), self.value()],
                ["HDEL", key, *self.fields()],
                ["HINCRBY", key, self.field(), pick(["1", "-5", "x"])],
                ["HINCRBYFLOAT", key, self.field(), pick(["1.5", "-5", "x"])],
                ["HPEXPIREAT", key, self.moment(), *pick(CONDITIONS), *self.named()],
                ["HPEXPIREAT", key, self.moment(), *self.named()],
                ["HPERSIST", key, *self.named()],
                ["HPEXPIRETIME", key, *self.named()],
                ["HGETEX", key, *self.expiry("PERSIST", ""), *self.named()],
                ["HGETDEL", key, *self.named()],
                ["HSETEX", key, *self.options(), "FIELDS", str(len(pairs) // 2), *pairs],
                ["HMGET", key, *self.fields()],
                ["HGETALL", key],
                ["HSTRLEN", key, self.field()],
                ["OBJECT", "ENCODING", key],
                ["COPY", key, pick(["h", "g"]), "REPLACE"],
                ["RENAME", key, "h"],
                ["DEL", "g"],
            ]
        )


def test_random_commands_have_the_same_consequences() -> None:
    chance = Chance(int(os.environ.get("BALAS_FUZZ_SEED", "1")))
    with (
        RealRedis(RealObserver.OPTIONS) as redis,
        InProcessServer(now_ms=int(time.time() * 1000)) as server,
        RealObserver(redis) as real,
    ):
        balas = BalasObserver(server)
        wrong: list[str] = []
        for argv in (["SET", "s", "text"], *(chance.command() for _ in range(COMMANDS))):
            theirs, ours = real(*argv), balas(*argv)
            ways = frozenset({"pairs"} if argv[0] == "HGETALL" else ())
            if not ours.same_as(theirs, Comparison(ways)):
                wrong.append(f"{argv}\n  real  {theirs}\n  balas {ours}")
            if len(wrong) == WRONG_MAX:
                break
        server.engine.databases[0].check_invariants()
    assert not wrong, "\n".join(wrong)
