"""INFO: the same sections and fields as Redis's, and figures that are true."""

from collections.abc import Iterator

import pytest

from balas.testing import Client, InProcessServer, RealRedis

# Redis tells these; Balas has nothing to say: its event loop does not count turns, and its atomic
# variables have no name.
NOT_TOLD = {
    "atomicvar_api",
    "eventloop_cycles",
    "eventloop_duration_sum",
    "instantaneous_eventloop_cycles_per_sec",
    "instantaneous_eventloop_duration_usec",
}
OWN = {"balas_version"}


def sections(text: bytes) -> dict[str, dict[str, str]]:
    """The fields of each section of a reply to INFO."""
    found: dict[str, dict[str, str]] = {}
    for line in text.decode().split("\r\n"):
        if line.startswith("# "):
            fields = found.setdefault(line[2:], {})
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value
    return found


def fields(client: Client, section: str) -> dict[str, str]:
    """The fields of one section."""
    (found,) = sections(client("INFO", section)).values()
    return found


@pytest.fixture
def real(real_redis: RealRedis) -> Iterator[Client]:
    with real_redis.client() as client:
        yield client


@pytest.mark.parametrize(
    "wanted",
    [
        *("", "default", "all", "everything", "server cpu", "CPU Server", "nothing", "all nothing"),
        *("commandstats", "nothing keyspace", "module_list", "default commandstats"),
        "latencystats",
    ],
)
def test_the_same_sections_come_in_the_same_order(
    client: Client, real: Client, wanted: str
) -> None:
    ours, theirs = (sections(one("INFO", *wanted.split())) for one in (client, real))
    of_the_core = [
        name for name in ours if name[0].isupper()
    ]  # modules begin theirs with their name
    assert of_the_core == list(theirs)


def test_each_section_has_redis_s_fields_in_redis_s_order(client: Client, real: Client) -> None:
    ours, theirs = sections(client("INFO", "all")), sections(real("INFO", "all"))
    for title, expected in theirs.items():
        if title not in ("Commandstats", "Errorstats", "Latencystats", "Keysizes", "Modules"):
            told = [name for name in ours[title] if name not in OWN and name[:8] != "listener"]
            wanted = [name for name in expected if name not in NOT_TOLD and name[:8] != "listener"]
            assert told == wanted, title


def test_figures_have_the_form_that_redis_gives_them(client: Client, real: Client) -> None:
    ours, theirs = sections(client("INFO", "all")), sections(real("INFO", "all"))
    for title, expected in theirs.items():
        for name, value in expected.items():
            if name in ("redis_git_sha1", "redis_build_id"):
                continue
            own = ours[title].get(name, value)
            assert shape(own) == shape(value), f"{name}: {own} beside {value}"


def shape(value: str) -> str:
    """What kind of figure a value is: its letters count only where it is no figure."""
    try:
        float(value.rstrip("%BKMG"))
    except ValueError:
        return "words"
    return "fraction" if "." in value and value[-1] not in "KMG" else "number"


def test_a_module_s_own_sections_come_with_everything_and_by_name(client: Client) -> None:
    def shown(*wanted: str) -> list[str]:
        return [name for name in sections(client("INFO", *wanted)) if name.startswith("bf")]

    client("BF.RESERVE", "b", "0.01", "100")
    assert shown("all") == []
    everything = shown("everything")
    assert shown("modules") == everything
    assert shown("bf") == everything
    for name in everything:
        assert shown(name) == [name]


def test_commands_are_counted_as_redis_counts_them(client: Client, real: Client) -> None:
    for one in (client, real):
        one("CONFIG", "RESETSTAT")
        one("SET", "k", "word")
        one("GET", "k")
        one("GET", "k")
        one.error("INCR", "k")
        one.error("GET")
        one.error("NOTHING")
        one("MULTI")
        one("SET", "k", "1")
        one("INCR", "k")
        one("EXEC")

    def counts(one: Client) -> dict[str, dict[str, str]]:
        told = fields(one, "commandstats")
        return {
            name: {
                k: v for k, v in (part.split("=") for part in text.split(",")) if "usec" not in k
            }
            for name, text in told.items()
        }

    assert counts(client) == counts(real)
    assert fields(client, "errorstats") == fields(real, "errorstats")
    ours, theirs = fields(client, "stats"), fields(real, "stats")
    for name in ("total_error_replies", "keyspace_hits", "keyspace_misses"):
        assert ours[name] == theirs[name]


def test_too_many_codes_of_errors_are_not_counted(balas_server: InProcessServer) -> None:
    stats = balas_server.engine.stats
    client = balas_server.client()
    for number in range(128):
        stats.count_error(f"E{number}")
    stats.count_error("E7")
    assert fields(client, "errorstats")["errorstat_E7"] == "count=2"
    stats.count_error("ONEMORE")
    stats.count_error("E7")
    assert fields(client, "errorstats") == {"errorstat_ERRORSTATS_DISABLED": "count=1"}
    assert fields(client, "stats")["total_error_replies"] == "131"
    assert "Errorstats stopped adding new errors" in balas_server.log
    client("CONFIG", "RESETSTAT")
    stats.count_error("E7")
    assert fields(client, "errorstats") == {"errorstat_E7": "count=1"}


def test_the_keyspace_is_told_by_database(client: Client, real: Client) -> None:
    for one in (client, real):
        one("MSET", "a", "1", "b", "2")
        one("SELECT", "3")
        one("SET", "c", "3", "EX", "1000")
        one("SELECT", "0")
    ours, theirs = fields(client, "keyspace"), fields(real, "keyspace")
    assert ours["db0"] == theirs["db0"] == "keys=2,expires=0,avg_ttl=0,subexpiry=0"
    assert ours["db3"].startswith("keys=1,expires=1,avg_ttl=")


def test_sizes_of_strings_are_told_as_by_redis(client: Client, real: Client) -> None:
    for one in (client, real):
        for size in (0, 1, 2, 3, 4, 1000, 1023, 1024, 5000, 1 << 20):
            one("SET", f"k{size}", "x" * size)
        for number in (7, -7, 12345678, -(2**63)):
            one("SET", f"n{number}", str(number))
        one("SETRANGE", "big", "10000000", "x")
        one("APPEND", "k3", "yz")
        one("DEL", "k2")
        one("SELECT", "5")
        one("SET", "k", "v")
    ours, theirs = fields(client, "keysizes"), fields(real, "keysizes")
    assert ours == theirs
    client("FLUSHALL")
    assert fields(client, "keysizes") == {}


def test_rates_are_averages_of_the_last_samples(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    for _ in range(20):
        for _ in range(10):
            client("PING")
        balas_server.advance(100)
    told = fields(client, "stats")
    assert told["instantaneous_ops_per_sec"] == "100"
    assert float(told["instantaneous_input_kbps"]) == pytest.approx(1400 / 1024, abs=0.01)
    client("CONFIG", "RESETSTAT")
    assert fields(client, "stats")["instantaneous_ops_per_sec"] == "0"


def test_resetstat_forgets_what_was_counted(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("SET", "k", "v", "PX", "1")
    balas_server.advance(1000)
    client("GET", "k")
    assert fields(client, "stats")["expired_keys"] == "1"
    client("CONFIG", "RESETSTAT")
    told = fields(client, "stats")
    for name in ("expired_keys", "keyspace_misses", "expired_stale_perc", "total_error_replies"):
        assert float(told[name]) == 0
    assert set(fields(client, "commandstats")) == {"cmdstat_config|resetstat", "cmdstat_info"}


def test_memory_rises_with_the_data_and_falls_with_them(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    before = int(fields(client, "memory")["used_memory"])
    for number in range(1000):
        client("SET", f"k{number}", "v" * 100)
    told = fields(client, "memory")
    assert 100_000 < int(told["used_memory"]) - before < 250_000
    client("FLUSHALL")
    after = fields(client, "memory")
    assert int(after["used_memory"]) == before
    assert after["used_memory_peak"] == told["used_memory"]


def test_clients_count_as_memory(balas_server: InProcessServer) -> None:
    clients = [balas_server.client() for _ in range(50)]
    balas_server.advance(3000)
    told = fields(clients[0], "memory")
    assert int(told["mem_clients_normal"]) > 50 * 4000
    assert int(told["used_memory"]) >= int(told["mem_clients_normal"])
    for client in clients[1:]:
        client.close()
    balas_server.advance(3000)
    assert int(fields(clients[0], "memory")["mem_clients_normal"]) < 50_000


def test_info_is_a_verbatim_string_in_resp3(balas_server: InProcessServer) -> None:
    client = balas_server.client(resp=3, typed=True)
    assert client("INFO", "cluster").kind == "="


def test_run_ids_differ_and_stay(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    first = fields(client, "server")["run_id"]
    assert len(first) == 40
    assert fields(client, "server")["run_id"] == first
    with InProcessServer(seed=99) as other:
        assert fields(other.client(), "server")["run_id"] != first
