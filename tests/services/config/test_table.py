"""The table of options: Redis 8.2.3's names and defaults, and its answer to every value."""

from collections.abc import Iterator

import pytest

from balas.errors import ReplyError
from balas.services.config import Config, Option
from balas.services.config.reference import page
from balas.services.config.table import OPTIONS
from balas.testing.clients import Client
from balas.testing.real_server import NotInstalled, redis_server_path
from balas.testing.server_process import ServerProcess
from sources import TOP

# Defaults that differ on purpose: option, Redis's, ours.
DIFFERENT = {
    # Extending a running server is what Balas is for; a local client may do it.
    "enable-module-command": ("no", "local"),
}
# Given as flags to the server that is asked, so that it harms nobody.
GIVEN = {"port", "bind", "dir"}

TEXTS = [
    "", "abc", "-1", "0", "1", "2", "99", "101", "1.5", " 5", "5 ", "007", "+5", "0x10", "1kb",
    "1 2", "1 2 3", "99999999999999999999", "9223372036854775808", "9223372036854775807",
    "-99999999999", "100000000000", "4294967296", "10%", "-10%", "200%", "yes", "NO", "a/b",
    "normal 0 0 0", "master 0 0 0", "pubsub 1kb 1 x", "slave 1kb 1 -1", "KEA", "KAmn", "Kg$lz",
    "nKE$lszhgx", "now force", "save nosave", "default", "{title}", "{title} x", "{{", "{foo}",
    "99.9 50.5 100", "nan", "1e1", "99.123456789", "50 abc",
]  # fmt: skip

# Not to be asked of the real server: it would lose us, or fall over.
UNASKED = {"port", "bind", "tls-port", "tls-cluster", "tls-replication", "requirepass"}
# What the rest of a server answers in the real one: who is subscribed there is not here.
ANSWERED_ELSEWHERE = {("locale-collate", "Invalid locale name"), ("maxclients", "The operating")}
# Differs from Redis: there the size wraps around, to "1%".
WRAPPED = {
    ("maxmemory-clients", "99999999999999999999"),
    ("maxmemory-clients", "9223372036854775808"),
}


@pytest.fixture(scope="module")
def stock() -> Iterator[Client]:
    """A real server with hardly a flag."""
    try:
        command = [str(redis_server_path()), "--enable-protected-configs", "yes"]
    except NotInstalled as missing:
        pytest.skip(str(missing))
    with ServerProcess(command) as server, server.client() as client:
        yield client


def pairs(flat: list[bytes]) -> dict[str, str]:
    texts = [item.decode() for item in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


@pytest.mark.oracle
def test_names_and_defaults_are_those_of_the_real_server(stock: Client) -> None:
    theirs = pairs(stock("CONFIG", "GET", "*"))
    ours = Config().matching(["*"])
    assert ours.keys() == theirs.keys()
    theirs["enable-protected-configs"] = "no"  # Given as a flag above.
    differing = {
        name: (theirs[name], ours[name])
        for name in theirs.keys() - GIVEN
        if theirs[name] != ours[name]
    }
    assert differing == DIFFERENT


@pytest.mark.oracle
def test_hidden_options_are_hidden_there_too(stock: Client) -> None:
    hidden = [option for option in OPTIONS if option.hidden and option.name != "bare"]
    theirs = pairs(stock("CONFIG", "GET", *[option.name for option in hidden]))
    assert theirs == {option.name: option.kind.format(option.default) for option in hidden}


@pytest.mark.oracle
@pytest.mark.parametrize("name", sorted(set(Config().matching(["*"])) - UNASKED))
def test_values_are_accepted_and_refused_in_the_same_words(stock: Client, name: str) -> None:
    before = stock("CONFIG", "GET", name)[1]
    for text in TEXTS:
        if (name, text) in WRAPPED:
            continue
        set_it, get_it = stock.pipeline(("CONFIG", "SET", name, text), ("CONFIG", "GET", name))
        theirs = set_it.text if isinstance(set_it, ReplyError) else get_it[1].decode()
        if any(name == which and reason in theirs for which, reason in ANSWERED_ELSEWHERE):
            continue
        assert (text, answer(name, text, before.decode())) == (text, theirs)
        stock.pipeline(("CONFIG", "SET", name, before))


def answer(name: str, text: str, before: str) -> str:
    """What CONFIG SET answers here if it refuses, else what CONFIG GET says afterwards."""
    config = Config()
    config.assign("enable-protected-configs", "yes")
    try:
        if config.text(name) != before:
            config.set_many([(name, before)])
        config.set_many([(name, text)])
    except ReplyError as error:
        return error.text
    return config.text(name)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_says_what_it_decides(option: Option) -> None:
    assert option.doc.endswith(".")
    assert option.doc[0].isupper()


def test_no_name_is_declared_twice() -> None:
    names = [name for option in OPTIONS for name in (option.name, *option.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.name != "dir"], ids=lambda o: o.name)
def test_a_default_is_a_value_of_its_own_kind(option: Option) -> None:
    kind, default = option.kind, option.default
    text = kind.format(default)
    words = text.split(" ") if kind.multiple else [text]
    if default is not None:
        assert kind.parse(words, default) == default


def test_the_documentation_is_up_to_date() -> None:
    written = (TOP / "docs" / "configuration.md").read_text()
    assert written == page(), "python -m balas.services.config.reference > docs/configuration.md"
