"""The guard finds what takes more instructions than its budget, on this toolchain and on others."""

from pathlib import Path

import pytest

from bench import guard
from bench.guard import compare
from bench.guarded import GUARDED, KEYS, batches

BUDGET = {"SET": 1000, "GET": 800, "INCR": 900}


def changes(counts: dict[str, int], at_home: bool) -> dict[str, float]:
    return {one.name: round(one.change, 3) for one in compare(counts, BUDGET, at_home)}


def test_on_the_same_toolchain_counts_are_compared_as_they_are() -> None:
    assert changes({"SET": 1060, "GET": 800, "INCR": 870}, True) == {
        "SET": 0.06,
        "GET": 0.0,
        "INCR": -0.033,
    }


def test_on_another_the_common_shift_is_taken_off() -> None:
    assert changes({"SET": 1200, "GET": 960, "INCR": 1350}, False) == {
        "SET": 0.0,
        "GET": 0.0,
        "INCR": 0.25,
    }


def test_a_slower_request_or_one_without_a_budget_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "BUDGET", tmp_path / "budget.toml")
    guard.record({"SET": 1000})
    assert guard.judge({"SET": 1049}) == 0
    assert guard.judge({"SET": 1051}) == 1
    assert "SET takes more" in capsys.readouterr().err
    assert guard.judge({"SET": 1000, "new one": 5}) == 1
    guard.record({"new one": 5})
    assert guard.judge({"SET": 1000, "new one": 5}) == 0


def test_a_dump_is_read(tmp_path: Path) -> None:
    dump = tmp_path / "callgrind.out.1.1"
    dump.write_text("desc: Trigger: Client Request: FT.SEARCH\nfn=(1)\n1 5\ntotals: 12345\n")
    assert guard.read(dump) == ("FT.SEARCH", 12345)


def test_every_workload_has_a_budget_and_visits_all_keys() -> None:
    recorded = guard.tomllib.loads(guard.BUDGET.read_text())["instructions"]
    assert set(recorded) == {one.name for one in GUARDED}
    getting = next(one for one in GUARDED if one.name == "GET")
    sent = b"".join(batches(getting, 1)).split(b"\r\n")
    assert len({word for word in sent if word.startswith(b"key:")}) == KEYS
