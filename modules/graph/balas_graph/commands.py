"""GRAPH.QUERY and its kin."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from time import perf_counter

from balas.api import (
    ACCESS,
    DENYOOM,
    INSERT,
    OK,
    READONLY,
    RO,
    RW,
    WRITE,
    Config,
    Context,
    Module,
    Reply,
    ReplyError,
    command,
    key,
)  # fmt: skip
from balas_graph import replies
from balas_graph.errors import QueryError
from balas_graph.evaluation.compiler import Compiler
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Run
from balas_graph.execution._parameters import read as read_parameters
from balas_graph.execution.clauses import Executor, Plan, prepare
from balas_graph.execution.loading import IMPORT_FOLDER
from balas_graph.language.parser import Parser
from balas_graph.settings import Settings
from balas_graph.storage import effects, files
from balas_graph.storage.graph import Graph

EMPTY_KEY = "ERR Invalid graph operation on empty key"
# So many texts keep their plans, as the original's CACHE_SIZE.
PLANS_MAX = 25


class Plans(Module):
    """What queries share: the functions, and the plans of the latest texts."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        self.plans: OrderedDict[str, Plan] = OrderedDict()
        self.settings = Settings()
        # What a run has until it has a plan, which brings its own; it never compiles.
        self.blank = Compiler(self.registry, Executor().embedded)

    def read(self, text: str, run: Run) -> tuple[Plan, bool]:
        """Set the parameters; the plan of the query behind them, and whether it was there."""
        plain = read_parameters(text)
        parser = None
        if plain is not None:
            run.parameters, place = plain
            text = text[place:]
        elif text not in self.plans:
            parser = Parser(text, run.deadline_s)
            compiler = run.compiler = Compiler(self.registry, Executor().embedded)
            constants = parser.parameters()
            try:
                run.parameters = {k: compiler.compile(v)({}, run) for k, v in constants.items()}
            except KeyError as error:
                raise QueryError(f"'{error.args[0]}' not defined") from error
            text = text[parser.token.start :]
        found = self.plans.get(text)
        if found is not None:
            self.plans.move_to_end(text)
            return found, True
        plan = self.plans[text] = prepare(parser or Parser(text, run.deadline_s), self.registry)
        if len(self.plans) > PLANS_MAX:
            _, oldest = self.plans.popitem(last=False)
            oldest.let_go()
        return plan, False


class Options:
    """What may stand behind a query; what is not known is passed over."""

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self.compact = b"--compact" in words
        self.timeout_ms = 0
        self.version: int | None = None
        for place, word in enumerate(words):
            if word.lower() in (b"timeout", b"version"):
                given = words[place + 1] if place + 1 < len(words) else b""
                if not given.isdigit():
                    raise ReplyError(
                        "ERR Failed to parse query timeout value"
                        if word.lower() == b"timeout"
                        else "ERR Failed to parse graph version value"
                    )
                if word.lower() == b"timeout":
                    self.timeout_ms = int(given)
                else:
                    self.version = int(given)


def run_query(
    ctx: Context, graph_key: bytes, text: bytes, options: tuple[bytes, ...], read_only: bool
) -> Reply:
    """Read, check and run a query; its changes stay, or all are undone."""
    # The class of the module itself, which imports this file.
    from balas_graph import Graphs

    begun = perf_counter()
    given = Options(options)
    shared = ctx.service(Graphs)
    graph = ctx.read(graph_key, Graph) if read_only else ctx.write(graph_key, Graph)
    if graph is None and read_only:
        raise ReplyError(EMPTY_KEY)
    try:
        query = text.decode()
    except UnicodeDecodeError as error:
        raise ReplyError("ERR query is not valid UTF-8") from error
    run = Run(graph or Graph(), shared.registry, shared.blank, {}, ctx.now_ms, ctx.rng)
    limit_ms = shared.settings.timeout_ms(given.timeout_ms, read_only)
    if limit_ms:
        run.deadline_s = begun + limit_ms / 1000
    run.rows_max = shared.settings.rows_max(run.rows_max)
    if given.version is not None and given.version != schema_version(run.graph):
        return [ReplyError("version mismatch"), schema_version(run.graph)]
    try:
        plan, cached = shared.read(query, run)
        if plan.writes and read_only:
            raise ReplyError("ERR graph.RO_QUERY is to be executed only on read-only queries")
        run.compiler = plan.compiler
        if plan.chancy:
            run.import_folder = ctx.service(Config).get(IMPORT_FOLDER)
        rows = Executor(plan).query(plan.query, [{}], run)
        run.graph.constraints.check_changes(run.graph)
        most = shared.settings["RESULTSET_SIZE"]
        if most >= 0:
            rows = rows[:most]
        spent_ms = (perf_counter() - begun) * 1000
        reply = replies.result(plan.columns, rows, run, given.compact, cached, spent_ms)
    except RecursionError as error:
        run.graph.roll_back()
        raise QueryError("the query is nested too deeply") from error
    except Exception:
        run.graph.roll_back()
        raise
    run.graph.note_slow(
        ctx.now_ms // 1000, "graph.ro_query" if read_only else "graph.query", query, spent_ms
    )
    keep(ctx, graph_key, graph, run)
    return reply


def schema_version(graph: Graph) -> int:
    """A number that is another one when names have come: clients compare it."""
    names = (graph.labels.names, graph.types.names, graph.attributes.names)
    return zlib.crc32(repr(names).encode("utf-8", "surrogatepass"))


def keep(ctx: Context, graph_key: bytes, graph: Graph | None, run: Run) -> None:
    """Store a graph that is new, and report what has changed.

    The log gets the effects: the text might not do the same again.
    """
    changed = run.graph.store.change_count > 0
    recorded = (changed or graph is None) and ctx.changes.recording
    data = effects.encode(run.graph) if recorded else b""
    run.graph.keep()
    if graph is None:
        ctx.store(graph_key, run.graph)
    if changed or graph is None:
        ctx.changed(graph_key, "graph.query")
        if recorded:
            ctx.record(b"GRAPH._EFFECT", graph_key, data)


@command("GRAPH.QUERY", arity=-3, flags=WRITE | DENYOOM, keys=key(1, RW | ACCESS | INSERT))
def query(ctx: Context, graph_key: bytes, text: bytes, *options: bytes) -> Reply:
    """GRAPH.QUERY graph query [--compact] [timeout milliseconds] [version version]

    Run an openCypher query; the graph is made if it is missing.
    """
    return run_query(ctx, graph_key, text, options, False)


@command("GRAPH.RO_QUERY", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS))
def read_only_query(ctx: Context, graph_key: bytes, text: bytes, *options: bytes) -> Reply:
    """GRAPH.RO_QUERY graph query [--compact] [timeout milliseconds] [version version]

    Run an openCypher query that changes nothing.
    """
    return run_query(ctx, graph_key, text, options, True)


@command("GRAPH.DELETE", arity=2, flags=WRITE, keys=key(1, RW))
def delete(ctx: Context, graph_key: bytes) -> Reply:
    """GRAPH.DELETE graph

    Remove a graph.
    """
    if ctx.write(graph_key, Graph) is None:
        raise ReplyError(EMPTY_KEY)
    ctx.delete(graph_key)
    ctx.changed(graph_key, "graph.delete")
    return OK


@command("GRAPH.LIST", arity=1, flags=READONLY)
def graphs(ctx: Context) -> Reply:
    """GRAPH.LIST

    Return the keys that hold graphs.
    """
    return [name for name in ctx.all_keys() if ctx.type_name(name) == Graph.type_name]


@command("GRAPH.COPY", arity=3, flags=WRITE | DENYOOM, keys=(key(1, RO), key(2, RW | INSERT)))
def copy(ctx: Context, source: bytes, target: bytes) -> Reply:
    """GRAPH.COPY source destination

    Copy a graph to a key that does not exist.
    """
    graph = ctx.read(source, Graph)
    if graph is None:
        raise ReplyError(EMPTY_KEY)
    if ctx.there(target):
        raise ReplyError("ERR destination key already exists")
    ctx.store(target, graph.copy())
    ctx.changed(target, "graph.copy")
    return OK


@command("GRAPH._RESTORE", arity=3, flags=WRITE | DENYOOM, keys=key(1, RW | INSERT))
def restore(ctx: Context, graph_key: bytes, data: bytes) -> Reply:
    """GRAPH._RESTORE graph data

    Set a graph as the log keeps it.
    """
    graph = Graph()
    files.decode(graph, data)
    ctx.store(graph_key, graph)
    ctx.changed(graph_key, "graph.restore")
    return OK


@command("GRAPH._EFFECT", arity=3, flags=WRITE | DENYOOM, keys=key(1, RW | INSERT))
def effect(ctx: Context, graph_key: bytes, data: bytes) -> Reply:
    """GRAPH._EFFECT graph data

    Change a graph as the log tells what a query has done.
    """
    graph = ctx.write(graph_key, Graph)
    made = graph or Graph()
    effects.apply(made, data)
    made.keep()
    if graph is None:
        ctx.store(graph_key, made)
    ctx.changed(graph_key, "graph.query")
    return OK
