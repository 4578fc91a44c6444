"""Loading modules: where they are found, what they bring, and that a failure leaves no trace."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from balas.authoring.template import write_package
from balas.testing import Client, InProcessServer
from host.author import Author

REFUSED = "ERR Error loading the extension: "


def test_a_file_is_loaded_by_its_path(author: Author, client: Client) -> None:
    path = author.tally()
    assert client("MODULE", "LOAD", str(path)) == b"OK"
    assert client("TALLY.ADD", "t", 5) == 5
    assert client("MODULE", "LIST") == [
        [b"name", b"tally", b"ver", 10203, b"path", str(path).encode(), b"args", []]
    ]


def test_a_relative_path_starts_from_dir(author: Author, client: Client) -> None:
    path = author.tally(name="deep/tally.py")
    client("MODULE", "LOAD", "deep/../deep/tally.py")
    assert client("MODULE", "LIST")[0][5] == str(path).encode()


def test_a_package_is_loaded_by_its_folder(author: Author, client: Client) -> None:
    author.tally(name="pack/tally.py")
    author.write("pack/__init__.py", "from .tally import Tallies")
    client("MODULE", "LOAD", "./pack")
    assert client("TALLY.ADD", "t", 1) == 1
    assert not list(author.folder.rglob("__pycache__"))


def test_a_package_that_imports_itself_by_name_is_told_how_to(
    author: Author, client: Client
) -> None:
    author.tally(name="pack/tally.py")
    author.write("pack/__init__.py", "from pack.tally import Tallies")
    text = client.error("MODULE", "LOAD", "./pack")
    assert "No module named 'pack'" in text
    assert "imports its own parts with a leading dot" in text


def test_one_of_several_modules_in_a_file_is_named(author: Author, client: Client) -> None:
    author.tally(
        ("class Tallies(Module):", "class Other(Module):\n    name = 'o'\n\nclass Tallies(Module):")
    )
    text = client.error("MODULE", "LOAD", "./tally.py")
    assert text.endswith("has more than one module, so name it: ./tally.py:{Other, Tallies}")
    assert client("MODULE", "LOAD", "./tally.py:Tallies") == b"OK"
    client("MODULE", "RELOAD", "tally")
    assert client("TALLY.ADD", "t", 1) == 1


def test_an_importable_module_is_loaded_by_its_dotted_name(
    author: Author, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(author.folder)
    author.write("dotted_pack/__init__.py", "")
    author.tally(name="dotted_pack/tally.py")
    for target in ("dotted_pack.tally", "dotted_pack.tally:Tallies"):
        client("MODULE", "LOAD", target)
        assert client("TALLY.ADD", "t", 1) == 1
        client("MODULE", "UNLOAD", "tally", "SETASIDE")
        client("FLUSHALL")


def test_an_importable_module_is_read_anew_when_it_comes_again(
    author: Author, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(author.folder)
    author.tally(name="dotted_again.py")
    client("MODULE", "LOAD", "dotted_again")
    client("MODULE", "UNLOAD", "tally")
    author.tally(("version = 10203", "version = 10204"), name="dotted_again.py")
    client("MODULE", "LOAD", "dotted_again")
    assert client("MODULE", "LIST")[0][3] == 10204


def test_an_installed_module_is_loaded_by_the_name_of_its_entry_point(client: Client) -> None:
    assert [b"name", b"bf", b"class", b"balas_bloom:Bloom"] in client("MODULE", "AVAILABLE")
    client("MODULE", "LOAD", "bf")
    assert client("BF.ADD", "f", "x") == 1
    assert [b"name", b"bf", b"class", b"balas_bloom:Bloom"] not in client("MODULE", "AVAILABLE")


def test_arguments_reach_the_module_and_the_list(author: Author, client: Client) -> None:
    author.tally(("self.ticks = 0", "self.ticks = 0; self.arguments = arguments"))
    client("MODULE", "LOAD", "./tally.py", "SIZE", b"\xff\x00")
    assert author.instance().arguments == [b"SIZE", b"\xff\x00"]
    assert client("MODULE", "LIST")[0][7] == [b"SIZE", b"\xff\x00"]


def test_options_are_given_with_loadex_and_changed_with_config(
    author: Author, client: Client
) -> None:
    author.tally()
    client(
        *("MODULE", "LOADEX", "./tally.py"),
        *("CONFIG", "tally-step", "3", "CONFIG", "tally-title", "a b", "ARGS", "x"),
    )
    assert client("CONFIG", "GET", "tally-*") == [b"tally-step", b"3", b"tally-title", b"a b"]
    client("CONFIG", "SET", "tally-step", 9)
    assert client("CONFIG", "GET", "tally-step") == [b"tally-step", b"9"]
    assert "must be between 1 and 9" in client.error("CONFIG", "SET", "tally-step", 10)
    assert client("MODULE", "LIST")[0][7] == [b"x"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["CONFIG"], "CONFIG specified without name value pair"),
        (["CONFIG", "tally-step"], "CONFIG specified without name value pair"),
        (["tally-step", "3"], "Syntax Error from arguments to loadex around tally-step."),
        (["CONFIG", "tally-step", "99"], "invalid value for option 'tally-step'"),
        (["CONFIG", "no-such", "1"], "module tally has no option 'no-such'"),
    ],
)
def test_loadex_refuses_what_makes_no_sense(
    arguments: list[str], reason: str, author: Author, client: Client
) -> None:
    author.tally()
    before = author.traces()
    assert client.error("MODULE", "LOADEX", "./tally.py", *arguments).startswith(REFUSED + reason)
    assert author.traces() == before


FAULTS = {
    "unfinished code": (("class Tally(Value):", "class Tally(Value:"), "SyntaxError", False),
    "a missing package": (
        ("from balas.api import *", "import no_such_package"),
        "No module named 'no_such_package' (tally.py, line 2)",
        True,
    ),
    "an error at import": (
        ("from balas.api import *", "from balas.api import *\n1 / 0"),
        "ZeroDivisionError: division by zero (tally.py, line 3)",
        True,
    ),
    "an exit at import": (
        ("from balas.api import *", "from balas.api import *\nimport sys; sys.exit(3)"),
        "SystemExit: 3",
        True,
    ),
    "no module class": (("class Tallies(Module)", "class Tallies"), "has no class derived", False),
    "no name": (('name = "tally"', 'name = ""'), "Tallies.name is ''", False),
    "a name with a blank": (('name = "tally"', 'name = "a b"'), "Tallies.name is 'a b'", False),
    "a version of text": (("version = 10203", 'version = "1"'), "is no integer: '1'", False),
    "an error in __init__": (
        ("version = 10203", "version = 1\n    def __init__(self): self.x = {}['y']"),
        "KeyError: 'y' (tally.py, line",
        True,
    ),
    "a short type name": (
        ('"test-tally"[:9]', '"short"'),
        "a module type's name has nine characters, unlike b'short'",
        False,
    ),
    "a type without a method": (("def copy(self)", "def kopy(self)"), "Tally has no copy", False),
    "a type that is none": (("types = (Tally,)", "types = (5,)"), "5 is no class derived", False),
    "a taken command": (('"TALLY.GET"', '"GET"'), "command 'get' already belongs to the", False),
    "a command twice": (('"TALLY.GET"', '"TALLY.ADD"'), "'tally.add' is declared twice", False),
    "a wrong arity": (
        ('"TALLY.GET", arity=2', '"TALLY.GET", arity=3'),
        "'tally.get' has arity 3, but its function takes 1 arguments",
        False,
    ),
    "flags of text": (
        ("flags=READONLY | FAST", 'flags="READONLY"'),
        "command 'TALLY.GET': flags must be flags of balas.api joined by |, not 'READONLY'",
        False,
    ),
    "flags that exclude each other": (
        ("flags=READONLY | FAST", "flags=READONLY | WRITE"),
        "command 'TALLY.GET': it cannot be READONLY and WRITE",
        False,
    ),
    "an arity of text": (
        ('"TALLY.GET", arity=2', '"TALLY.GET", arity="2"'),
        "command 'TALLY.GET': arity must be a number other than 0, not '2'",
        False,
    ),
    "an arity of nothing": (
        ('"TALLY.GET", arity=2', '"TALLY.GET", arity=0'),
        "command 'TALLY.GET': arity must be a number other than 0, not 0",
        False,
    ),
    "a command of three words": (
        ('"TALLY.GET"', '"TALLY GET ALL"'),
        "command 'TALLY GET ALL': its name must be one word, or two for a subcommand",
        False,
    ),
    "a command without a name": (('"TALLY.GET"', '""'), "command '': its name must be", False),
    "a key that is not there": (
        ("keys=key(1, RO | ACCESS)", "keys=key(2, RO | ACCESS)"),
        "its key at index 2 does not exist: with arity 2 there is none",
        False,
    ),
    "keys that are none": (
        ("keys=key(1, RO | ACCESS)", "keys=1"),
        "command 'TALLY.GET': keys must be made by key(), keys() or key_count(), not 1",
        False,
    ),
    "a key at a text": (
        ("keys=key(1, RO | ACCESS)", 'keys=key("1", RO)'),
        "command 'TALLY.GET': the index of a key must be a number, not '1'",
        False,
    ),
    "a key to which nothing is done": (
        ("keys=key(1, RO | ACCESS)", "keys=key(1, ACCESS)"),
        "command 'TALLY.GET': the flags of a key must say RO, RW, OW or RM",
        False,
    ),
    "a command that is a generator": (
        ("return None if tally is None else tally.total", "yield tally.total"),
        "command 'TALLY.GET': its function is a generator: return a list",
        False,
    ),
    "types that are no tuple": (
        ("types = (Tally,)", "types = Tally"),
        "it has to be a tuple",
        False,
    ),
    "commands that are none": (
        ("types = (Tally,)", "types = (Tally,); commands = (5,)"),
        "5 among the commands is no Python module",
        False,
    ),
    "a name that is a number": (('name = "tally"', "name = 5"), "Tallies.name is 5", False),
    "an option twice": (('"tally-title"', '"tally-step"'), "'tally-step' already exists", False),
    "an option in capitals": (('"tally-title"', '"Tally"'), "is written in lower case", True),
    "an unknown category": (
        ('categories = ("tally",)', "categories = ()"),
        "command 'tally.add' is in the ACL category 'tally', which is unknown",
        False,
    ),
    "a category of the core": (
        ('categories = ("tally",)', 'categories = ("tally", "write")'),
        "'write' cannot be the name of a new ACL category",
        False,
    ),
    "a taken option": (('"tally-title"', '"port"'), "option 'port' already exists", False),
    "an unknown hook": (
        ("def load(self, server", "def lode(self, server"),
        "no hook 'lode'",
        False,
    ),
    "a hook with an unknown argument": (
        ("def load(self, server, arguments)", "def load(self, sever)"),
        "sever",
        False,
    ),
    "an async hook": (("    def load", "    async def load"), "must be a plain method", False),
    "a hook that refuses": (
        ("self.ticks = 0", "raise ReplyError('ERR tallies\\r\\n need SIZE')"),
        "tallies need SIZE",
        False,
    ),
    "a hook that fails": (
        ("server.count_memory(5000)", "server.count_memory(5000); self.nothing.there"),
        "AttributeError: 'Tallies' object has no attribute 'nothing' (tally.py, line",
        True,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_module_that_cannot_be_loaded_leaves_no_trace(
    fault: str, author: Author, client: Client
) -> None:
    edit, reason, is_code = FAULTS[fault]
    author.tally(edit)
    before = author.traces()
    text = client.error("MODULE", "LOAD", "./tally.py")
    assert text.startswith(REFUSED)
    assert reason in text
    assert author.traces() == before
    log = author.server.log
    assert "# Module ./tally.py failed to load: " in log
    assert reason in log
    if is_code:
        assert "Traceback (most recent call last)" in log
    # The server is whole, and takes the mended module.
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    assert client("TALLY.ADD", "t", 1) == 1


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere/x.py", "there is no file "),
        ("./empty", "cannot be imported: FileNotFoundError"),
        ("./text.txt", "text.txt is not a Python file"),
        ("no_such_module", "there is no module 'no_such_module'"),
        ("balas.no_such.part:X", "there is no module 'balas.no_such.part:X'"),
        ("balas.api:Nothing", "'Nothing' in balas.api:Nothing is no class derived from Module"),
        ("balas.api:Value", "'Value' in balas.api:Value is no class derived from Module"),
        ("json", "json has no class derived from Module"),
        ("two words", "there is no module 'two words'"),
        ("", "there is no module ''"),
    ],
)
def test_what_is_no_module_is_refused_with_the_reason(
    target: str, reason: str, author: Author, client: Client
) -> None:
    (author.folder / "empty").mkdir()
    author.write("text.txt", "hello")
    before = author.traces()
    assert client.error("MODULE", "LOAD", target).startswith(REFUSED)
    assert reason in client.error("MODULE", "LOAD", target)
    assert author.traces() == before


def test_a_module_is_loaded_once(author: Author, client: Client) -> None:
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    before = author.traces()
    assert client.error("MODULE", "LOAD", "./tally.py") == (
        REFUSED + "module 'tally' is already loaded"
    )
    assert author.traces() == before


def test_two_modules_cannot_have_one_type(author: Author, client: Client) -> None:
    author.tally()
    author.tally(
        ('name = "tally"', 'name = "other"'),
        ("TALLY.", "OTHER."),
        ("tally-step", "other-step"),
        ("tally-title", "other-title"),
        name="other.py",
    )
    client("MODULE", "LOAD", "./tally.py")
    before = author.traces()
    text = client.error("MODULE", "LOAD", "./other.py")
    assert text == REFUSED + "type 'test-tall' already belongs to module 'tally'"
    assert author.traces() == before


def test_two_servers_load_one_file_and_never_meet(author: Author, client: Client) -> None:
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 1)
    path = author.folder / "tally.py"
    with InProcessServer(bundled=False) as other:
        another = other.client()
        another("MODULE", "LOAD", str(path))
        assert another("TALLY.GET", "t") is None
        mine, theirs = author.instance(), Author(other).instance()
        assert type(mine) is not type(theirs)
        other.advance(3000)
        assert (mine.ticks, theirs.ticks) == (0, 3)
        another("MODULE", "UNLOAD", "tally")
    assert client("TALLY.GET", "t") == 1


def test_the_list_has_maps_in_resp3(author: Author, server: InProcessServer) -> None:
    author.tally()
    client = server.client(resp=3)
    client("MODULE", "LOAD", "./tally.py", "a")
    (module,) = client("MODULE", "LIST")
    assert set(module) == {b"name", b"ver", b"path", b"args"}
    assert module[b"args"] == [b"a"]


def test_commands_are_known_as_the_module_s(author: Author, server: InProcessServer) -> None:
    author.tally()
    server.client()("MODULE", "LOAD", "./tally.py")
    spec = server.engine.commands.find(b"TALLY.ADD")
    assert spec is not None
    assert spec.owner == "tally"
    assert spec.group == "module"
    assert spec.summary == "Add to the tally at key."
    assert spec.categories == {"write", "slow", "tally"}


def test_the_folder_of_the_process_is_not_imported_from(author: Author, client: Client) -> None:
    author.tally()
    assert client.error("MODULE", "LOAD", "tally") == REFUSED + "there is no module 'tally'"
    assert "tally" not in sys.modules
    assert Path("tally.py") != author.folder / "tally.py"


def test_clients_see_whose_a_command_is(author: Author, client: Client) -> None:
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    names = client("COMMAND", "LIST", "FILTERBY", "MODULE", "tally")
    assert sorted(names) == [b"tally.add", b"tally.get"]
    (about,) = client("COMMAND", "INFO", "tally.get")
    assert about[1] == 2
    assert set(about[2]) == {b"readonly", b"fast", b"module"}
    _, described = client("COMMAND", "DOCS", "tally.get")
    fields = dict(zip(described[::2], described[1::2], strict=True))
    assert fields[b"summary"] == b"Return the tally at key."
    assert fields[b"module"] == b"tally"
    assert client("COMMAND", "GETKEYS", "TALLY.ADD", "t", "1") == [b"t"]
    client("MODULE", "UNLOAD", "tally")
    assert client("COMMAND", "LIST", "FILTERBY", "MODULE", "tally") == []
    assert client("COMMAND", "INFO", "tally.get") == [None]


def test_clients_see_the_modules_in_hello_and_info(author: Author, server: InProcessServer) -> None:
    author.tally()
    client = server.client(resp=3)
    client("MODULE", "LOAD", "./tally.py", "a")
    assert client("HELLO", 3)[b"modules"] == client("MODULE", "LIST")
    line = "module:name=tally,ver=10203,api=1,filters=0,usedby=[],using=[],options=[]"
    assert line.encode() in client("INFO", "modules")
    client("TALLY.ADD", "t", 1)
    client("MODULE", "UNLOAD", "tally", "SETASIDE")
    assert b"orphaned_values:1\r\norphaned_values_test-tall:1" in client("INFO", "modules")


def test_the_folder_of_a_project_stands_for_its_package(author: Author, client: Client) -> None:
    write_package("word-bag", author.folder)
    assert client("MODULE", "LOAD", "./word-bag") == b"OK"
    assert client("WORDBAG.ADD", "k", "a", "b", "a") == 3
    assert client("MODULE", "RELOAD", "word-bag") == b"OK"
    assert client("WORDBAG.COUNT", "k", "a") == 2
