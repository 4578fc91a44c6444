"""The arithmetic and the tables of the benchmark; its measurements are run by `make bench`."""

from pathlib import Path

import pytest

from balas.testing import RealRedis
from bench import document, memory, report, run, throughput
from bench.contenders import MULTIPLIER, fill, info
from bench.throughput import Sample, Workload


def sample(contender: str, cpu_us: float) -> Sample:
    return Sample(contender, "SET", 16, per_second=1e6 / cpu_us, cpu_us=cpu_us)


def test_the_ratio_is_that_of_the_medians() -> None:
    samples = [sample("Redis", cpu) for cpu in (1.0, 2.0, 9.0)]
    samples += [sample("Balas", cpu) for cpu in (1.5, 1.8, 4.5)]
    workload = Workload("SET", ("-t", "set"))
    row = next(row for row in throughput.rows(samples, [workload]) if row.pipeline == 16)
    assert row.cpu_us == {"Redis": 2.0, "Balas": 1.8}
    assert row.ratio == pytest.approx(0.9)
    assert row.ratios == pytest.approx((1.5, 0.9, 0.5))
    text = report.throughput([row], keys=1000, rounds=3)
    assert "| SET | 16 | 500,000 | 555,556 | 2.00 | 1.80 | **0.90** | 0.50-1.50 |" in text


def test_one_server_alone_gives_no_ratio() -> None:
    text = report.memory({"Redis": memory.Memory(rss=101.4, used=99.0)}, keys=1000)
    assert "| resident memory | 101.4 |" in text
    assert "ratio" not in text


def test_keys_are_named_as_redis_benchmark_names_them(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        fill(client, 12, batch=5)
        assert client("DBSIZE") == 12
        assert client("GET", "key:000000000011") == b"%032x" % (11 * MULTIPLIER % 2**128)
        grown = memory.growth(real_redis, client, 2000)
        assert 50 < grown.used < 200
        assert memory.snapshot(real_redis, client).file_bytes > 2000 * 32
        assert info(client, "server")["redis_version"] == "8.2.3"


def test_full_measurements_write_their_sections_into_the_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "benchmarks.md"
    monkeypatch.setattr(run, "DOCUMENT", path)
    parts = {name: lambda *_, name=name: f"\n## About {name}\n" for name in run.SECTIONS}
    monkeypatch.setattr(run, "SECTIONS", parts)
    monkeypatch.setattr(run, "versions", lambda *_: {"Redis": "8.2.3"})
    monkeypatch.setattr("bench.contenders.Cores.pin_clients", lambda self: None)
    for argv in (["--quick"], ["--servers", "redis"], ["--tests", "SET"]):
        assert run.main(argv) == 0
        assert not path.exists()
    assert run.main(["--only", "graph,memory"]) == 0
    assert run.main(["--only", "throughput"]) == 0
    titles = [line for line in path.read_text().splitlines() if line.startswith("## ")]
    assert titles == ["## About throughput", "## About memory", "## About graph"]


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    order = ("first", "second")
    document.update(
        path, "# Title\n", {"second": "## Two\n", "first": "## One\n", "old": "x"}, order
    )
    document.update(path, "# Other title\n", {"first": "## One, anew\n"}, order)
    text = path.read_text()
    assert text.startswith("# Other title\n\n<!-- part: first -->\n## One, anew\n\n<!-- ")
    assert document.sections(text) == {"first": "## One, anew", "second": "## Two"}
