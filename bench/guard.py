"""Instructions per request against a recorded budget: a slow change is seen on any machine.

python -m bench.guard                    measure all, compare with bench/budget.toml: `make guard`
python -m bench.guard --record           measure, and write the budget anew
python -m bench.guard --only SET,GET --rounds 3
python -m bench.guard --profile SET      where SET's instructions go, by function

valgrind counts the instructions of the process, so neither load nor the clock of the machine
matters. Another Python or compiler shifts all counts alike: then each is compared after the shift
that is common to all (the median) was taken off, and with more tolerance.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.guarded import GUARDED
from bench.report import table

BUDGET = Path(__file__).with_name("budget.toml")
TOLERANCE = 0.05
TOLERANCE_ELSEWHERE = 0.10
# Two functions that valgrind knows how to see; outside of it they do nothing.
MARKS = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""
TRIGGER = "desc: Trigger: Client Request: "
TOTALS = "totals: "
TIMEOUT_S = 900


@dataclass(frozen=True)
class Finding:
    """One workload: instructions per request, and those of the budget (None if it has none).

    `change` is by how much more it takes, as a share.
    """

    name: str
    instructions: int
    budget: int | None
    change: float


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="make guard", description=__doc__.split("\n")[0])
    names = [guarded.name for guarded in GUARDED]
    parser.add_argument("--only", default=",".join(names), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=1, help="shows the spread, too")
    parser.add_argument("--record", action="store_true", help="write the budget anew")
    parser.add_argument("--profile", metavar="NAME", choices=names)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Measure and compare; 1 if something takes more than its budget."""
    options = arguments(argv)
    if shutil.which("valgrind") is None:
        print("valgrind is missing: install valgrind", file=sys.stderr)
        return 1
    if options.profile:
        profile(options.profile)
        return 0
    names = options.only.split(",")
    rounds = [measure(names) for _ in range(options.rounds)]
    counts = {name: round(median(one[name] for one in rounds)) for name in names}
    if options.rounds > 1:
        print(spread(rounds))
    if options.record:
        record(counts)
        return 0
    return judge(counts)


def judge(counts: dict[str, int]) -> int:
    """Print the comparison; 1 if something takes more than its budget."""
    budget = tomllib.loads(BUDGET.read_text())
    at_home = budget["toolchain"] == toolchain()
    findings = compare(counts, budget["instructions"], at_home)
    tolerance = TOLERANCE if at_home else TOLERANCE_ELSEWHERE
    if not at_home:
        print(f"The budget is that of {budget['toolchain']}; here is {toolchain()}.")
    print(shown(findings))
    dear = [one for one in findings if one.budget is None or one.change > tolerance]
    for one in dear:
        print(f"{one.name} takes more than its budget allows.", file=sys.stderr)
    if any(one.change < -tolerance for one in findings):
        print("Some take less by now: python -m bench.guard --record keeps it so.")
    return 1 if dear else 0


def compare(counts: dict[str, int], budget: dict[str, int], at_home: bool) -> list[Finding]:
    """Each count beside its budget; elsewhere the common shift is taken off."""
    ratios = {name: counts[name] / budget[name] for name in counts if name in budget}
    shift = 1.0 if at_home or not ratios else median(ratios.values())
    return [
        Finding(name, count, budget.get(name), ratios.get(name, shift) / shift - 1)
        for name, count in counts.items()
    ]


def shown(findings: Sequence[Finding]) -> str:
    """The comparison as a table."""
    lines = [
        [one.name, f"{one.instructions:,}", f"{one.budget or 0:,}", f"{one.change:+.1%}"]
        for one in findings
    ]
    return table(["instructions per request", "measured", "budget", "change"], lines)


def spread(rounds: Sequence[dict[str, int]]) -> str:
    """The least and the greatest of each count."""
    lines = []
    for name in rounds[0]:
        least, most = min(one[name] for one in rounds), max(one[name] for one in rounds)
        lines.append([name, f"{least:,}", f"{most:,}", f"{most / least - 1:.2%}"])
    return table([f"{len(rounds)} rounds", "least", "most", "spread"], lines)


def record(counts: dict[str, int]) -> None:
    """Write the budget; what was not measured keeps its own."""
    known = tomllib.loads(BUDGET.read_text())["instructions"] if BUDGET.exists() else {}
    lines = [
        "# Instructions per request; written by python -m bench.guard --record.",
        f'toolchain = "{toolchain()}"',
        "",
        "[instructions]",
        *(f'"{name}" = {count}' for name, count in {**known, **counts}.items()),
    ]
    BUDGET.write_text("\n".join(lines) + "\n")


def toolchain() -> str:
    """What the counts hang on besides the code: the Python, the compiler and the processor."""
    compiler = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    done = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True)
    version = f"{compiler} {done.stdout.strip()}"
    return f"Python {platform.python_version()}, {version}, {platform.machine()}"


def measure(names: Sequence[str]) -> dict[str, int]:
    """Instructions per request by name."""
    with tempfile.TemporaryDirectory() as folder:
        run_under_valgrind(Path(folder), names)
        totals = dict(read(path) for path in Path(folder).glob("callgrind.out.*.*"))
    return {one.name: round(totals[one.name] / one.count) for one in GUARDED if one.name in names}


def run_under_valgrind(folder: Path, names: Sequence[str]) -> None:
    """Run workloads; each leaves a file in the folder. RuntimeError with its words if one fails."""
    marks = compile_marks(folder)
    # Where things lie in memory must not vary: hashes of objects are addresses.
    command = [
        "setarch",
        "--addr-no-randomize",
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        "--compress-strings=no",
    ]
    command += [f"--callgrind-out-file={folder}/callgrind.out.%p", sys.executable, "-P", "-m"]
    command += ["bench.guarded", str(marks), *names]
    root = str(Path(__file__).resolve().parent.parent)
    paths = f"{root}:{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": paths}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"the workloads failed:\n{done.stdout}{done.stderr}")


def compile_marks(folder: Path) -> Path:
    """The library with the two marks."""
    source, library = folder / "marks.c", folder / "marks.so"
    source.write_text(MARKS)
    compiler = str(sysconfig.get_config_var("CC") or "cc").split()
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def read(path: Path) -> tuple[str, int]:
    """The name of the workload and the instructions that a file of callgrind's tells of."""
    name, total = "", 0
    with path.open() as file:
        for line in file:
            if line.startswith(TRIGGER):
                name = line.removeprefix(TRIGGER).strip()
            elif line.startswith(TOTALS):
                total = int(line.removeprefix(TOTALS))
    return name, total


def profile(name: str) -> None:
    """Print where the instructions of a workload go."""
    with tempfile.TemporaryDirectory() as folder:
        run_under_valgrind(Path(folder), [name])
        for path in Path(folder).glob("callgrind.out.*.*"):
            if read(path)[0] == name:
                subprocess.run(
                    ["callgrind_annotate", "--threshold=90", "--inclusive=yes", str(path)],
                    check=True,
                )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
