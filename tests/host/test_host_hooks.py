"""Every hook: documented in docs/hooks.md, and called at its moment.

The module that is tested here is the one of that page.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from balas.host import hookspecs
from balas.host.attachment import Attachment
from balas.host.report import info_sections
from balas.services.log import DEBUG
from balas.testing import Client, InProcessServer
from host.author import Author
from sources import TOP

PAGE = (TOP / "docs" / "hooks.md").read_text()
HOOKS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars(hookspecs).items()
    if inspect.isfunction(value) and hasattr(value, "balas_spec")
}


@pytest.fixture
def diary(author: Author, client: Client) -> Author:
    author.write("diary.py", "".join(re.findall(r"```python\n(.*?)```\n", PAGE, re.S)))
    client("MODULE", "LOAD", "./diary.py", "a", "b")
    return author


def entries(author: Author) -> list[str]:
    return [entry.decode() for entry in author.server.client()("DIARY.READ")]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name: str) -> None:
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
    assert f"\n### {name}({arguments})\n" in PAGE


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_test(name: str) -> None:
    assert f"test_hook_{name}" in globals()


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_described_in_a_sentence(name: str) -> None:
    assert (HOOKS[name].__doc__ or "").strip().endswith(".")


def test_the_page_describes_no_hook_that_does_not_exist() -> None:
    assert set(re.findall(r"^### (\w+)\(", PAGE, re.M)) == set(HOOKS)


def test_the_page_describes_every_verb_of_the_server() -> None:
    source = inspect.getsource(Attachment).partition("# --- for the host")[0]
    verbs = set(re.findall(r"^    def ([a-z]\w+)\(", source, re.M))
    assert verbs == set(re.findall(r"`server\.(\w+)", PAGE.partition("| verb |")[2]))


def test_hook_load(diary: Author) -> None:
    assert entries(diary)[0] == "loaded with 2 arguments"
    diary.server.advance(60_000)
    assert entries(diary)[-1] == f"it is {diary.server.clock.now_ms}"


def test_hook_load_that_refuses(diary: Author, client: Client) -> None:
    author = diary
    author.write(
        "picky.py",
        """
        from balas.api import *

        class Picky(Module):
            name = "picky"

            @hook
            def load(self, arguments):
                if arguments != [b"please"]:
                    raise ReplyError("ERR say please")
        """,
    )
    text = client.error("MODULE", "LOAD", "./picky.py")
    assert text == "ERR Error loading the extension: say please"
    assert client("MODULE", "LOAD", "./picky.py", "please") == b"OK"


def test_hook_data_loaded(diary: Author, client: Client) -> None:
    assert entries(diary)[1] == "data loaded: 0 keys"
    client("SET", "k", "v")
    client("MODULE", "RELOAD", "diary")
    assert entries(diary)[-1] == "data loaded: 1 keys"


def test_hook_data_loaded_at_the_start(diary: Author) -> None:
    diary.server.client()("SET", "k", "v")
    diary.server.client()("SAVE")
    options = {"loadmodule": "./diary.py"}
    with InProcessServer(options, directory=diary.folder, bundled=False) as server:
        assert server.client()("DIARY.READ")[-1] == b"data loaded: 1 keys"


def test_hook_unload(diary: Author, client: Client) -> None:
    client("MODULE", "UNLOAD", "diary")
    assert "* <diary> the diary had 2 entries" in diary.server.log


def test_hook_shutdown(diary: Author) -> None:
    diary.server.restart()
    assert "* <diary> the diary is closed" in diary.server.log


def test_hook_config_changed(diary: Author, client: Client) -> None:
    client("CONFIG", "SET", "maxmemory-samples", 7, "slave-read-only", "no")
    assert set(entries(diary)[-2:]) == {
        "maxmemory-samples is 7 now",
        "replica-read-only is False now",
    }
    client("CONFIG", "SET", "maxmemory-samples", 7)
    client.error("CONFIG", "SET", "maxmemory-samples", 8, "maxmemory-policy", "none")
    assert len(entries(diary)) == 4


def test_hook_database_changed(diary: Author, client: Client) -> None:
    client("SET", "k", "v")
    client("FLUSHDB")
    assert entries(diary)[-1] == "database 0 is another one"
    client("SWAPDB", 1, 2)
    assert sorted(entries(diary)[-2:]) == [
        "database 1 is another one",
        "database 2 is another one",
    ]


def test_hook_role_changed(diary: Author) -> None:
    diary.server.server.modules.role_changed("replica")
    assert entries(diary)[-1] == "we are a replica"


def test_hook_cron(diary: Author, client: Client) -> None:
    diary.server.advance(1000)
    assert diary.instance("diary").ticks == 10
    client("CONFIG", "SET", "hz", 100)
    diary.server.advance(1000)
    assert diary.instance("diary").ticks == 110
    client("MODULE", "UNLOAD", "diary")
    timers = len(diary.server.engine.timers)
    client("MODULE", "LOAD", "./diary.py")
    assert len(diary.server.engine.timers) == timers + 2


def test_hook_info(diary: Author, client: Client) -> None:
    modules = diary.server.server.modules
    assert info_sections(modules) == {"diary_size": {"diary_entries": 2, "diary_ticks": 0}}


def test_hook_aux_save(diary: Author, client: Client) -> None:
    client("SAVE")
    assert b"loaded with 2 arguments" in (diary.folder / "dump.rdb").read_bytes()


def test_hook_aux_load(diary: Author, client: Client) -> None:
    client("SAVE")
    options = {"loadmodule": "./diary.py"}
    with InProcessServer(options, directory=diary.folder, bundled=False) as server:
        assert [entry.decode() for entry in server.client()("DIARY.READ")] == [
            "loaded with 2 arguments",
            "data loaded: 0 keys",
            "loaded with 0 arguments",
            "data loaded: 0 keys",
        ]


def test_hook_aof_rewrite(diary: Author, client: Client) -> None:
    rewriting = diary.server.server.aof.rewriting
    commands = [list(command) for extra in rewriting.extras for command in extra()]
    assert commands == [
        [b"DIARY.WRITE", b"loaded with 2 arguments"],
        [b"DIARY.WRITE", b"data loaded: 0 keys"],
    ]
    client("DIARY.WRITE", "more")
    assert entries(diary)[-1] == "more"


def test_aux_data_pass_through_a_reload(diary: Author, client: Client) -> None:
    client("MODULE", "RELOAD", "diary")
    assert entries(diary)[:2] == ["loaded with 2 arguments", "data loaded: 0 keys"]


def test_aux_data_wait_for_their_module_through_saves_and_restarts(
    diary: Author, client: Client
) -> None:
    client("SAVE")
    for _ in range(2):
        diary.server.restart()
        client = diary.server.client()
        client("SAVE")
    client("MODULE", "LOAD", "./diary.py")
    assert entries(diary)[:2] == ["loaded with 2 arguments", "data loaded: 0 keys"]
    client("SAVE")
    text = (diary.folder / "dump.rdb").read_bytes()
    assert text.count(b"loaded with 2 arguments") == 1


def test_aux_data_are_set_aside_with_the_values(diary: Author, client: Client) -> None:
    client("MODULE", "UNLOAD", "diary", "SETASIDE")
    client("MODULE", "LOAD", "./diary.py")
    assert entries(diary)[:2] == ["loaded with 2 arguments", "data loaded: 0 keys"]
    client("MODULE", "UNLOAD", "diary")
    client("MODULE", "LOAD", "./diary.py")
    assert entries(diary)[0] == "loaded with 0 arguments"


def test_aux_data_that_cannot_be_loaded_refuse_the_module(diary: Author, client: Client) -> None:
    client("MODULE", "UNLOAD", "diary", "SETASIDE")
    path = diary.folder / "diary.py"
    text = path.read_text()
    path.write_text(text.replace("count = source.load_unsigned()", "count = source.load_double()"))
    before = diary.traces()
    refusal = client.error("MODULE", "LOAD", "./diary.py")
    assert "an unsigned number where a module's value should have a double" in refusal
    assert diary.traces() == before
    path.write_text(text)
    client("MODULE", "LOAD", "./diary.py")
    assert entries(diary)[0] == "loaded with 2 arguments"


def test_all_modules_are_called_and_the_latest_first(author: Author, client: Client) -> None:
    for name in ("one", "two"):
        author.write(
            f"{name}.py",
            f"""
            from balas.api import *

            class A{name}(Module):
                name = "{name}"

                @hook
                def config_changed(self, name):
                    self.server.log(f"{name} saw {{name}}")

                @hook
                def load(self, server):
                    self.server = server
            """,
        )
        client("MODULE", "LOAD", f"./{name}.py")
    client("CONFIG", "SET", "maxmemory-samples", 7)
    log = author.server.log
    assert 0 < log.index("<two> two saw maxmemory-samples") < log.index("<one> one saw")


def test_calls_are_traced_in_the_log_at_level_debug(diary: Author, client: Client) -> None:
    diary.server.server.log.level = DEBUG
    client("CONFIG", "SET", "maxmemory-samples", 7)
    assert ". <diary> hook config_changed" in diary.server.log


def test_a_hook_that_nobody_implements_costs_nothing(author: Author, client: Client) -> None:
    before = author.traces()
    author.write(
        "silent.py",
        """
        from balas.api import Module

        class Silent(Module):
            name = "silent"
        """,
    )
    client("MODULE", "LOAD", "./silent.py")
    after = author.traces()
    for place in ("timers", "listeners", "database listeners", "attention"):
        assert after[place] == before[place]
