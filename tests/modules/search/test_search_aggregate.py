"""Random aggregations, put to Balas and to the real module: equal rows, in both protocols.

Totals are not compared: the original counts the rows it happened to have seen.
"""

import math
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from balas.testing import InProcessServer, RealRedis
from balas.testing.wire import Typed

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "150"))
SCHEMA = (
    "t TEXT s TEXT SORTABLE n NUMERIC SORTABLE m NUMERIC g TAG SORTABLE h TAG u TEXT SORTABLE UNF"
)
# No empty ones: grouped by two properties, the real module takes one that is empty beside one that
# is missing for the same as the reverse.
WORDS = ("red", "Blue", "green apple", "x", "10", "7.5", " 3", "abc", "a,b")
TEXTS = (*WORDS, "", "2018-01-31", "1517417144", "%s-%s", "100%%", "inf", "0x10", "-4")
NUMBERS = ("0", "1", "2", "-3", "0.5", "7", "10", "1517417144", "1e3", "-1.25", "100000")
FORMS = ("%Y", "%d.%m.%y %H:%M:%S", "%FT%TZ", "%j %a")


class Chance:
    """Makes documents, expressions and aggregations from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.labels = 0

    def one_of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def document(self) -> list[str]:
        chance = self.random
        fields = ["t", "word " + self.one_of(*WORDS)]
        for name, share, values in (
            ("s", 0.8, WORDS),
            ("g", 0.8, WORDS[:5]),
            ("h", 0.5, WORDS[:5]),
            ("u", 0.7, WORDS),
            ("x", 0.7, (*WORDS, *NUMBERS)),
        ):
            if chance.random() < share:
                fields += [name, self.one_of(*values)]
        for name, share in (("n", 0.85), ("m", 0.7)):
            if chance.random() < share:
                fields += [name, self.one_of(*NUMBERS)]
        return fields

    def text(self) -> str:
        return "'" + self.one_of(*TEXTS) + "'"

    def expression(self, names: list[str], depth: int = 3) -> str:
        """An expression that does not bring the real module down."""
        kind = self.random.random()
        if depth == 0 or kind < 0.25:
            leaf = self.random.random()
            if leaf < 0.5 and names:
                return "@" + self.one_of(*names)
            return self.one_of(*NUMBERS) if leaf < 0.75 else self.text()

        def inner() -> str:
            return self.expression(names, depth - 1)

        if kind < 0.4:
            return f"({inner()}) {self.one_of('+', '-', '*', '/', '^')} ({inner()})"
        if kind < 0.44:
            return f"({inner()}) % {self.one_of('1', '2', '7', '-3')}"
        if kind < 0.56:
            return f"({inner()}) {self.one_of('<', '<=', '>', '>=', '==', '!=')} ({inner()})"
        if kind < 0.66:
            return f"({inner()}) {self.one_of('&&', '||')} ({inner()})"
        if kind < 0.7:
            return f"!({inner()})"
        return self.call(names, inner)

    def call(self, names: list[str], inner: Callable[[], str]) -> str:
        """A function."""
        kind = self.random.random()
        if kind < 0.2:
            math_names = ("log", "log2", "exp", "ceil", "floor", "abs", "sqrt")
            return f"{self.one_of(*math_names)}({inner()})"
        if kind < 0.45:
            one = self.one_of("upper", "lower", "strlen", "to_str", "to_number", "split")
            # Of a text that a function has made, the real to_str makes null.
            return f"{one}({self.expression(names, 0) if one == 'to_str' else inner()})"
        if kind < 0.6:
            two = self.one_of("contains", "startswith")
            return f"{two}({inner()}, {self.text()})"
        if kind < 0.65:
            return f"substr({inner()}, {self.one_of(0, 1, -2, 9)}, {self.one_of(0, 2, -1, 50)})"
        if kind < 0.7:
            return f"format('%s|%s', {inner()}, {inner()})"
        if kind < 0.85:
            parts = ("hour", "minute", "day", "month", "monthofyear", "year", "dayofmonth")
            return f"{self.one_of(*parts, 'dayofweek', 'dayofyear', 'timefmt')}({self.time(names)})"
        if kind < 0.9:
            return f"parsetime(timefmt(abs({self.time(names)}), '%FT%TZ'), '%FT%TZ')"
        if kind < 0.95 and names:
            return f"exists(@{self.one_of(*names)})"
        return f"timefmt({self.time(names)}, '{self.one_of(*FORMS)}')"

    def time(self, names: list[str]) -> str:
        """A number or a text that is none: of nan, the real module makes chance dates."""
        return self.one_of(*NUMBERS, "'abc'", *(f"@{name}" for name in names if name in "nm"))

    def label(self) -> str:
        self.labels += 1
        return f"a{self.labels}"

    def aggregation(self) -> tuple[list[str], bool]:
        """Steps, and whether the order of their rows is defined."""
        names = ["s", "n", "g", "u"]
        steps: list[str] = []
        if self.random.random() < 0.6:
            loaded = self.random.sample(["x", "m", "h", "t", "s", "n"], self.random.randint(1, 3))
            steps += ["LOAD", str(len(loaded)), *("@" + name for name in loaded)]
            names = list(dict.fromkeys(names + loaded))
        ordered = True
        for _ in range(self.random.randint(1, 3)):
            kind = self.random.random()
            # Groups are in no order: where one has no value, it is not defined which are returned.
            make = self.guarded if ordered else self.safe
            if kind < 0.35:
                label = self.label()
                steps += ["APPLY", make(names), "AS", label]
                names.append(label)
            elif kind < 0.5:
                steps += ["FILTER", make(names)]
            elif kind < 0.8:
                keys = self.random.sample(names, self.random.randint(0, min(2, len(names))))
                made, labels = self.reducers(names, ordered)
                steps += ["GROUPBY", str(len(keys)), *("@" + key for key in keys), *made]
                names = keys + labels
                ordered = False
            elif ordered and "SORTBY" not in steps:
                keys = self.random.sample(names, self.random.randint(1, min(3, len(names))))
                words = [word for key in keys for word in ("@" + key, self.one_of("ASC", "DESC"))]
                steps += ["SORTBY", str(len(words)), *words, "LIMIT", "0", self.one_of("5", "200")]
        return steps, ordered

    def guarded(self, names: list[str]) -> str:
        """An expression that mostly has a value."""
        name = self.one_of(*names) if names else ""
        if not name or self.random.random() < 0.3:
            return self.expression(names, 2)
        made = self.expression([name], 2)
        return f"exists(@{name}) && ({made})" if self.random.random() < 0.7 else made

    def safe(self, names: list[str]) -> str:
        """An expression that has a value whatever the property is."""
        form = self.one_of("exists(@%s)", "to_str(@%s)", "upper(@%s)", "!@%s", "@%s == 'red'")
        return form % self.one_of(*names) if names else "1"

    def reducers(self, names: list[str], in_order: bool) -> tuple[list[str], list[str]]:
        words: list[str] = []
        labels = []
        for _ in range(self.random.randint(0, 3)):
            label = self.label()
            name = "@" + self.one_of(*names) if names else ""
            kind = self.one_of(
                "SUM", "MIN", "MAX", "AVG", "STDDEV", "TOLIST", "COUNT_DISTINCT",
                "COUNT_DISTINCTISH", "QUANTILE", "COUNT", "FIRST_VALUE" if in_order else "SUM",
            )  # fmt: skip
            arguments = [name]
            if kind == "COUNT" or not names:
                kind, arguments = "COUNT", []
            elif kind == "QUANTILE":
                arguments.append(self.one_of("0", "0.25", "0.5", "0.99", "1"))
            elif kind == "FIRST_VALUE":
                arguments += ["BY", "@n" if "n" in names else name, self.one_of("ASC", "DESC")]
            words += ["REDUCE", kind, str(len(arguments)), *arguments, "AS", label]
            # Of lists, the real module takes numbers now and then.
            if kind != "TOLIST":
                labels.append(label)
        return words, labels


def plain(reply: Typed) -> Any:
    """A reply without its kinds; lists of TOLIST stay lists."""
    value = reply.value
    if reply.is_error:
        return "error", value
    if isinstance(value, tuple):
        return [
            [plain(part) for part in item] if isinstance(item, tuple) else plain(item)
            for item in value
        ]
    return value


def near(one: Any, other: Any) -> bool:
    """Whether two replies are equal, numbers to nine digits, inner lists in any order."""
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return False
        return all(map(near, one, other)) or all(map(near, ordered(one), ordered(other)))
    if isinstance(one, bytes) and isinstance(other, bytes) and one != other:
        try:
            both = float(one), float(other)
            # Of nan, the sign is a matter of chance.
            return math.isclose(*both, rel_tol=1e-9) or all(map(math.isnan, both))
        except ValueError:
            return False
    return bool(one == other)


def ordered(items: list[Any]) -> list[Any]:
    return sorted(items, key=repr)


def rows_of(reply: Typed, in_order: bool) -> Any:
    """The rows, and in RESP3 the warnings."""
    made = plain(reply)
    if isinstance(made, tuple):
        return made
    sort = list if in_order else ordered
    if reply.kind == "%":
        parts = dict(zip((b"a", b"t", b"f", b"r", b"w"), (pair[1] for pair in made), strict=True))
        return [sort(parts[b"r"]), parts[b"w"]]
    return sort(made[1:])


class Pair:
    """Two servers that are asked the same."""

    def __init__(self, balas: InProcessServer, real: RealRedis, resp: int) -> None:
        self.clients = [server.client(resp=resp, typed=True) for server in (balas, real)]
        self.real = real

    def __call__(self, *words: str) -> tuple[Typed, Typed]:
        for client in self.clients:
            client.send(*words)
        ours, theirs = (client.read() for client in self.clients)
        return ours, theirs

    def same_rows(self, words: list[str], in_order: bool) -> None:
        """Ask both, and compare the rows."""
        ours, theirs = (rows_of(reply, in_order) for reply in self(*words))
        assert near(ours, theirs), f"{words}\n  ours {ours}\n  real {theirs}"

    def fill(self, chance: Chance, count: int) -> None:
        self("FLUSHALL")
        self("FT.CREATE", "i", "SCHEMA", *SCHEMA.split(" "))
        self.real.sleep_ms(50)
        for number in range(count):
            self("HSET", f"d{number}", *chance.document())

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def pairs(
    balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> Iterator[dict[int, Pair]]:
    made = {resp: Pair(balas_server, real_servers("search"), resp) for resp in (2, 3)}
    yield made
    for pair in made.values():
        pair.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_random_expressions(seed: int, pairs: dict[int, Pair]) -> None:
    chance = Chance(seed)
    pairs[2].fill(chance, 40)
    for number in range(EXAMPLES):
        load = ["LOAD", "3", "@x", "@m", "@h"]
        expression = chance.expression(["n", "s", "g", "u", "x", "m", "h"])
        words = ["FT.AGGREGATE", "i", "*", *load, "APPLY", expression, "AS", "r"]
        pairs[2 + number % 2].same_rows(words, True)


@pytest.mark.parametrize("seed", [3, 4])
def test_random_aggregations(seed: int, pairs: dict[int, Pair]) -> None:
    chance = Chance(seed)
    pairs[2].fill(chance, 120)
    for number in range(EXAMPLES):
        steps, in_order = chance.aggregation()
        pairs[2 + number % 2].same_rows(["FT.AGGREGATE", "i", "*", *steps], in_order)


def test_cursors_give_all_rows(pairs: dict[int, Pair]) -> None:
    chance = Chance(5)
    pairs[2].fill(chance, 90)
    for steps in (
        ["LOAD", "2", "@x", "@n"],
        ["SORTBY", "2", "@n", "DESC", "LIMIT", "0", "35"],
        ["APPLY", "exists(@n) && @n + 1", "AS", "r", "LIMIT", "3", "50"],
        ["GROUPBY", "1", "@g", "REDUCE", "COUNT", "0", "AS", "c"],
    ):
        found = []
        for client in pairs[2].clients:
            rows: list[Any] = []
            page, number = client(
                "FT.AGGREGATE", "i", "*", *steps, "WITHCURSOR", "COUNT", "7"
            ).value
            pages = 1
            while True:
                rows += plain(page)[1:]
                if not number.value:
                    break
                page, number = client("FT.CURSOR", "READ", "i", str(number.value)).value
                pages += 1
            found.append((rows, pages))
        (ours, our_pages), (theirs, their_pages) = found
        assert our_pages == their_pages
        if "GROUPBY" in steps:
            ours, theirs = ordered(ours), ordered(theirs)
        assert near(ours, theirs)
