"""Modules at the start: bundled, by the configuration, by nobody; and who may use MODULE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balas.services.config.reader import FatalConfigError
from balas.services.config.rewrite import rewritten
from balas.testing import BalasProcess, InProcessServer, RealRedis, StartupError
from balas.testing.transcript import Server
from host.author import TALLY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tally.py").write_text(TALLY)
    return tmp_path


def start(folder: Path, *, bundled: bool = False, **options: Any) -> InProcessServer:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return InProcessServer(named, directory=folder, bundled=bundled)


def names(server: InProcessServer) -> list[str]:
    return [loaded.name for loaded in server.server.modules]


def test_bundled_modules_are_there_from_the_start(folder: Path) -> None:
    with start(folder, bundled=True) as server:
        assert "bf" in names(server)
        assert server.client()("BF.ADD", "f", "x") == 1


def test_the_core_alone_has_none(folder: Path) -> None:
    with start(folder) as server:
        assert names(server) == []
        assert server.client().error("BF.ADD", "f", "x").startswith("ERR unknown command 'BF.ADD'")


def test_loadmodule_is_the_same_as_module_load(folder: Path) -> None:
    loading = [("./tally.py", "a b", "c")]
    with start(folder, loadmodule=loading, **{"tally-step": 5}) as server:
        client = server.client()
        assert client("TALLY.ADD", "t", 1) == 1
        assert client("MODULE", "LIST")[0][7] == [b"a b", b"c"]
        assert client("CONFIG", "GET", "tally-step") == [b"tally-step", b"5"]


def test_a_bundled_module_with_a_line_of_its_own_is_loaded_by_that(folder: Path) -> None:
    with start(folder, bundled=True, loadmodule=[("bf", "ERROR_RATE", "0.05")]) as server:
        (arguments,) = (one.arguments for one in server.server.modules if one.name == "bf")
        assert arguments == (b"ERROR_RATE", b"0.05")


def test_the_core_alone_loads_what_a_line_asks_for(folder: Path) -> None:
    with start(folder, loadmodule="bf") as server:
        assert names(server) == ["bf"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"loadmodule": "./gone.py"}, "Can't load module from ./gone.py: there is no file"),
        ({"loadmodule": "./bad.py"}, "ZeroDivisionError: division by zero (bad.py, line 1)"),
        ({"loadmodule": "./tally.py", "tally-step": 99}, "invalid value for option"),
    ],
)
def test_a_module_that_cannot_be_loaded_ends_the_start_with_the_line(
    options: dict[str, Any], reason: str, folder: Path
) -> None:
    (folder / "bad.py").write_text("1 / 0")
    with pytest.raises(FatalConfigError) as failure:
        InProcessServer(options, directory=folder, bundled=False)
    assert reason in failure.value.reason
    assert failure.value.directive is not None
    assert failure.value.directive.words[0] == "loadmodule"


def test_an_option_that_no_module_claims_ends_the_start_with_the_line(folder: Path) -> None:
    with pytest.raises(FatalConfigError) as failure:
        start(folder, bundled=True, **{"no-such-option": 5})
    assert failure.value.reason == "Bad directive or wrong number of arguments"
    assert failure.value.directive is not None
    assert failure.value.directive.words == ("no-such-option", "5")


def test_the_core_alone_starts_with_options_of_modules_and_gives_them_later(folder: Path) -> None:
    with start(folder, **{"bf-error-rate": "0.2", "tally-step": 5}) as server:
        assert "# No module has claimed 'tally-step \"5\"'" in server.log
        client = server.client()
        client("MODULE", "LOAD", "bf")
        client("MODULE", "LOAD", "./tally.py")
        assert client("CONFIG", "GET", "bf-error-rate") == [b"bf-error-rate", b"0.2"]
        assert client("CONFIG", "GET", "tally-step") == [b"tally-step", b"5"]


def test_installed_modules_of_others_are_named_and_wait_to_be_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = folder / "site"
    site.mkdir()
    (site / "counting.py").write_text(TALLY)
    about = site / "counting-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[balas.modules]\ncount = counting:Tallies\n")
    monkeypatch.syspath_prepend(site)
    with start(folder, bundled=True) as server:
        assert "tally" not in names(server)
        assert "* Modules that can be loaded as well: count" in server.log
        client = server.client()
        asked = [b"name", b"count", b"class", b"counting:Tallies"]
        assert asked in client("MODULE", "AVAILABLE")
        client("MODULE", "LOAD", "count")
        assert client("TALLY.ADD", "t", 1) == 1
        assert asked not in client("MODULE", "AVAILABLE")


def test_a_rewritten_configuration_loads_the_same_modules(folder: Path) -> None:
    with start(folder, bundled=True) as server:
        client = server.client()
        client("MODULE", "LOADEX", "./tally.py", "CONFIG", "tally-step", "7", "ARGS", "a b", "c")
        text = rewritten(server.server.config, "# mine\nloadmodule gone.so\n")
    assert "loadmodule bf" not in text
    assert text.splitlines()[:2] == ["# mine", f'loadmodule {folder}/tally.py "a b" c']
    assert "tally-step 7" in text.splitlines()


def test_a_server_process_tells_why_a_module_cannot_be_loaded(
    balas_process: Callable[..., BalasProcess], folder: Path
) -> None:
    (folder / "bad.py").write_text("def unfinished(:")
    with pytest.raises(StartupError) as failure:
        balas_process({"loadmodule": str(folder / "bad.py")})
    assert failure.value.exit_code == 1
    assert "SyntaxError" in failure.value.log
    assert f"Can't load module from {folder}/bad.py: server aborting" in failure.value.log


# --- who may, and in which words ------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Iterator[Callable[[str], RealRedis]]:
    """A function from a value of enable-module-command to a running real server."""
    servers: dict[str, RealRedis] = {}

    def get(allowed: str) -> RealRedis:
        if allowed not in servers:
            servers[allowed] = RealRedis({"enable-module-command": allowed})
            servers[allowed].start()
        return servers[allowed]

    yield get
    for server in servers.values():
        server.close()


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("allowed", "command"),
    [
        ("yes", "MODULE"),
        ("yes", "MODULE NOSUCH"),
        ("yes", "MODULE LIST x"),
        ("yes", "MODULE LOAD"),
        ("yes", "MODULE LOADEX"),
        ("yes", "MODULE UNLOAD"),
        ("yes", "MODULE UNLOAD nosuch"),
        ("local", "MODULE UNLOAD nosuch"),
        ("no", "MODULE LOAD x"),
        ("no", "MODULE LOADEX x"),
        ("no", "MODULE UNLOAD x"),
    ],
)
def test_refusals_are_in_redis_s_words(
    allowed: str, command: str, real: Callable[[str], RealRedis], folder: Path
) -> None:
    def refusal(server: Server) -> str:
        with server.client() as client:
            return client.error(*command.split())

    with start(folder, enable_module_command=allowed) as server:
        assert refusal(server) == refusal(real(allowed))


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ("local", "127.0.0.1:5000", True),
        ("local", "10.0.0.1:5000", False),
        ("yes", "10.0.0.1:5000", True),
        ("no", "127.0.0.1:5000", False),
    ],
)
def test_the_configuration_decides_who_may_change_modules(
    allowed: str, address: str, may: bool, folder: Path
) -> None:
    with start(folder, enable_module_command=allowed) as server:
        client = server.client()
        transport: Any = client.transport
        transport.peer.address = address
        for command in ("LOAD ./tally.py", "RELOAD tally", "UNLOAD tally", "LOADEX ./tally.py"):
            client.send("MODULE", *command.split())
            refused = str(client.read()).startswith("ERR MODULE command not allowed")
            assert refused is not may
        assert client("MODULE", "LIST") is not None
        assert client("MODULE", "HELP")[0].startswith(b"MODULE <subcommand>")
