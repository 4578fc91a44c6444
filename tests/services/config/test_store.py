"""Values, changes and their undoing, module options."""

from pathlib import Path

import pytest

from balas.errors import ReplyError
from balas.services.config import Config, Option
from balas.services.config.kinds import Percent
from balas.services.config.reader import Reader
from balas.services.config.special import OutputLimit, SavePoint


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(directory=str(tmp_path))


def refusal(config: Config, *pairs: tuple[str, str]) -> str:
    with pytest.raises(ReplyError) as caught:
        config.set_many(pairs)
    return caught.value.text


def read(config: Config, text: str) -> None:
    Reader(config).read(text, "redis.conf")


def test_values_are_typed_and_texts_are_redis_s(config: Config) -> None:
    config.set_many(
        [
            ("maxmemory", "1gb"),
            ("maxmemory-clients", "5%"),
            ("appendonly", "YES"),
            ("save", "60 1000 5 1"),
            ("client-output-buffer-limit", "replica 1mb 512kb 30"),
            ("notify-keyspace-events", "mAE"),
            ("latency-tracking-info-percentiles", "50 99.95"),
            ("shutdown-on-sigterm", "force nosave"),
            ("bind", ""),
        ]
    )
    assert config.get("maxmemory") == 1 << 30
    assert config.get("maxmemory-clients") == Percent(5)
    assert isinstance(config.get("maxmemory-clients"), Percent)
    assert config.get("appendonly") is True
    assert config.get("save") == (SavePoint(60, 1000), SavePoint(5, 1))
    assert config.get("client-output-buffer-limit").replica == OutputLimit(1 << 20, 1 << 19, 30)
    assert set(config.get("notify-keyspace-events")) == set("g$lshzxetdEm")
    assert config.get("latency-tracking-info-percentiles") == (50.0, 99.95)
    assert config.get("shutdown-on-sigterm") == {"nosave", "force"}
    assert config.get("bind") == ()
    assert config.text("maxmemory") == "1073741824"
    assert config.text("save") == "60 1000 5 1"
    assert config.text("client-output-buffer-limit") == (
        "normal 0 0 0 slave 1048576 524288 30 pubsub 33554432 8388608 60"
    )
    assert config.text("notify-keyspace-events") == "AEm"
    assert config.text("shutdown-on-sigterm") == "nosave force"


def test_an_alias_is_the_same_option(config: Config) -> None:
    config.set_many([("slave-priority", "7")])
    assert config.get("replica-priority") == config.get("slave-priority") == 7
    assert config.matching(["REPLICA-PRIORITY", "slave-p*"]) == {
        "REPLICA-PRIORITY": "7",
        "slave-priority": "7",
    }


def test_hidden_options_are_shown_to_those_who_know_them(config: Config) -> None:
    assert "key-load-delay" not in config.matching(["*", "key-*"])
    assert config.matching(["key-load-delay"]) == {"key-load-delay": "0"}


def test_nothing_changes_unless_everything_fits(config: Config) -> None:
    text = refusal(config, ("maxmemory", "5mb"), ("hz", "many"))
    assert text == (
        "ERR CONFIG SET failed (possibly related to argument 'hz') - "
        "argument couldn't be parsed into an integer"
    )
    assert config.get("maxmemory") == 0


def test_a_subscriber_hears_once_of_all_its_options_and_only_of_changes(config: Config) -> None:
    heard: list[tuple[int, str]] = []
    config.on_change(
        ("maxmemory", "maxmemory-policy"),
        lambda config: heard.append((config.get("maxmemory"), config.get("maxmemory-policy"))),
    )
    config.set_many([("maxmemory", "1kb"), ("maxmemory-policy", "allkeys-lru"), ("hz", "20")])
    config.set_many([("maxmemory", "1024"), ("hz", "21")])
    assert heard == [(1024, "allkeys-lru")]


def test_an_objection_undoes_the_change_for_everybody(config: Config) -> None:
    heard: list[int] = []
    names: list[tuple[str, ...]] = []

    def object_to_it(config: Config) -> None:
        if config.get("port") == 1:
            raise ReplyError("ERR Unable to listen on this port. Check server logs.")

    config.on_change("hz", lambda config: heard.append(config.get("hz")))
    config.on_change("port", object_to_it)
    config.on_any_change(lambda changed: names.append(tuple(changed)))
    assert refusal(config, ("hz", "50"), ("port", "1")) == (
        "ERR CONFIG SET failed (possibly related to argument 'port') - "
        "Unable to listen on this port. Check server logs."
    )
    assert heard == [50, 10]
    assert (config.get("hz"), config.get("port")) == (10, 6379)
    assert config.where("hz") == "the default"
    assert names == []
    config.set_many([("hz", "50"), ("port", "6379")])
    assert names == [("hz",)]


def test_an_accident_in_a_subscriber_undoes_the_change_too(config: Config) -> None:
    def fall_over(config: Config) -> None:
        if config.get("hz") != 10:
            raise ZeroDivisionError

    config.on_change("hz", fall_over)
    with pytest.raises(ZeroDivisionError):
        config.set_many([("hz", "50")])
    assert config.get("hz") == 10


def test_save_points_are_replaced_at_runtime_and_add_up_in_a_file(config: Config) -> None:
    read(config, "save 900 1\nsave 300 10 60 5\n")
    assert config.text("save") == "900 1 300 10 60 5"
    config.set_many([("save", "1 1")])
    assert config.text("save") == "1 1"
    read(config, 'save 7 7\nsave ""\nsave 8 8')
    assert config.text("save") == "8 8"


def test_protected_options_need_permission(config: Config, tmp_path: Path) -> None:
    pair = [("dbfilename", "other.rdb")]
    assert refusal(config, *pair).endswith("'dbfilename') - can't set protected config")
    config.assign("enable-protected-configs", "local")
    for address in ("10.0.0.1:5", "[fe80::1]:5"):
        with pytest.raises(ReplyError):
            config.set_many(pair, address=address)
    for address in ("127.0.0.1:5", "[::1]:5", "/run/balas.sock:0", ""):
        config.set_many(pair, address=address)
    assert config.path("dbfilename") == str(tmp_path / "other.rdb")


def test_some_options_wait_until_the_data_is_loaded(config: Config) -> None:
    with pytest.raises(ReplyError, match=r"^LOADING "):
        config.set_many([("appendonly", "yes")], loading=True)
    config.set_many([("hz", "11")], loading=True)


def test_a_directory_must_exist_and_is_kept_absolute(config: Config, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file").touch()
    config.assign("enable-protected-configs", "yes")
    assert refusal(config, ("dir", "nowhere")).endswith(" - No such file or directory")
    assert refusal(config, ("dir", "file")).endswith(" - Not a directory")
    config.set_many([("dir", "data")])
    assert config.text("dir") == str(tmp_path / "data")
    assert config.path("dbfilename") == str(tmp_path / "data" / "dump.rdb")
    assert config.path("logfile") == ""


def test_where_a_value_came_from(config: Config) -> None:
    read(config, "\nmaxmemory 1gb\n")
    config.set_many([("hz", "11")])
    config.assign("maxclients", 5, "the limit of open files")
    assert [config.where(name) for name in ("maxmemory", "hz", "maxclients", "port")] == [
        "redis.conf, line 2",
        "CONFIG SET",
        "the limit of open files",
        "the default",
    ]


BLOOM = (
    Option("bf-error-rate", 0.01, low=0, high=0.25),
    Option("bf-initial-size", 100, low=1),
    Option("bf-mode", "fast", choices=("fast", "small")),
    Option("bf-cache", 1 << 20, "memory"),
)


def test_a_module_s_options_are_options_like_any_other(config: Config) -> None:
    config.register(BLOOM)
    assert config.matching(["bf-*"]) == {
        "bf-error-rate": "0.01",
        "bf-initial-size": "100",
        "bf-mode": "fast",
        "bf-cache": "1048576",
    }
    config.set_many([("bf-error-rate", "1e-3"), ("bf-cache", "1kb")])
    assert (config.get("bf-error-rate"), config.get("bf-cache")) == (0.001, 1024)
    for text, reason in [
        ("0.3", "argument must be between 0 and 0.25 inclusive"),
        ("nan", "argument couldn't be parsed into a float"),
        ("1_0", "argument couldn't be parsed into a float"),
    ]:
        assert refusal(config, ("bf-error-rate", text)).endswith(f" - {reason}")
    config.unregister(BLOOM)
    assert refusal(config, ("bf-mode", "fast")) == (
        "ERR Unknown option or number of arguments for CONFIG SET - 'bf-mode'"
    )
    config.register(BLOOM)
    assert config.get("bf-error-rate") == 0.01


def test_lines_of_the_file_wait_for_the_module_that_knows_them(config: Config) -> None:
    read(config, "bf-error-rate 0.05\nBF-Initial-Size 7\nnobody knows this\n")
    config.register(BLOOM, {"bf-initial-size": "9"})
    assert (config.get("bf-error-rate"), config.get("bf-initial-size")) == (0.05, 9)
    assert config.where("bf-error-rate") == "redis.conf, line 1"
    assert [line.where for line in config.unclaimed.values()] == ["redis.conf, line 3"]


@pytest.mark.parametrize(
    ("options", "given", "reason"),
    [
        ((*BLOOM, Option("hz", 1)), {}, "option 'hz' already exists"),
        ((*BLOOM, BLOOM[0]), {}, "option 'bf-error-rate' already exists"),
        ((*BLOOM, Option("new", 1, aliases=["bf-mode"])), {}, "option 'bf-mode' already exists"),
        (BLOOM, {"bf-mode": "odd"}, "'bf-mode': argument(s) must be one of the following"),
        (BLOOM, {"bf-size": "1"}, "module bf has no option 'bf-size'"),
    ],
)
def test_options_of_a_module_are_taken_all_or_not_at_all(
    config: Config, options: tuple[Option, ...], given: dict[str, str], reason: str
) -> None:
    read(config, "bf-cache 1kb\n")
    with pytest.raises(ReplyError) as caught:
        config.register(options, given, owner="bf")
    assert reason in caught.value.text
    assert config.matching(["bf-*"]) == {}
    assert "bf-cache" in config.unclaimed


def test_an_undone_assignment_leaves_no_trace(config: Config) -> None:
    def lower(config: Config) -> None:
        config.assign("maxclients", 5, "the limit of open files")
        raise ReplyError("ERR too many")

    config.on_change("maxclients", lower)
    refusal(config, ("maxclients", "7"))
    assert config.get("maxclients") == 10000
    assert config.where("maxclients") == "the default"


def test_names_of_options_are_in_lower_case() -> None:
    with pytest.raises(ValueError, match="lower case"):
        Option("BF-size", 1)


def test_a_default_says_what_kind_an_option_is() -> None:
    with pytest.raises(TypeError, match="must name its kind"):
        Option("odd", [])
