"""GRAPH.CONFIG, SLOWLOG, INFO, MEMORY, EXPLAIN, PROFILE and CONSTRAINT."""

from __future__ import annotations

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
    Reply,
    ReplyError,
    Status,
    command,
    key,
)  # fmt: skip
from balas_graph.commands import EMPTY_KEY, Plans
from balas_graph.evaluation.compiler import Compiler
from balas_graph.evaluation.run import Run
from balas_graph.execution.clauses import Executor
from balas_graph.execution.explanation import explained, profiled
from balas_graph.execution.loading import IMPORT_FOLDER
from balas_graph.storage.constraints import Constraint
from balas_graph.storage.graph import Graph

MEGABYTE = 2**20


def shared(ctx: Context) -> Plans:
    """The module itself, which imports this file."""
    from balas_graph import Graphs

    return ctx.service(Graphs)


def text(word: bytes) -> str:
    """An argument as text; what is no UTF-8 is kept as well as it can be."""
    return word.decode("utf-8", "replace")


@command("GRAPH.CONFIG", arity=-3, flags=WRITE)
def config(ctx: Context, action: bytes, name: bytes, *rest: bytes) -> Reply:
    """GRAPH.CONFIG GET name | * | SET name value [name value ...]

    Read or change the settings of graphs.
    """
    settings = shared(ctx).settings
    settings.values["IMPORT_FOLDER"] = ctx.service(Config).get(IMPORT_FOLDER)
    word = action.upper()
    if word == b"GET":
        if rest:
            raise ReplyError("ERR wrong number of arguments for 'graph.CONFIG' command")
        if name == b"*":
            return [[key, value] for key, value in settings.values.items()]
        wanted = text(name).upper()
        if wanted not in settings.values:
            raise ReplyError("Unknown configuration field")
        return [wanted, settings.values[wanted]]
    if word != b"SET":
        raise ReplyError("Unknown subcommand for GRAPH.CONFIG")
    words = [text(one) for one in (name, *rest)]
    if len(words) % 2:
        raise ReplyError("ERR wrong number of arguments for 'graph.CONFIG' command")
    pairs = zip(words[::2], words[1::2], strict=True)
    settings.set_all([(key.upper(), value) for key, value in pairs])
    return OK


def graph_of(ctx: Context, graph_key: bytes) -> Graph:
    """The graph of a key that has to have one."""
    graph = ctx.read(graph_key, Graph)
    if graph is None:
        raise ReplyError(EMPTY_KEY)
    return graph


@command("GRAPH.SLOWLOG", arity=-2, flags=READONLY, keys=key(1, RO | ACCESS))
def slowlog(ctx: Context, graph_key: bytes, *rest: bytes) -> Reply:
    """GRAPH.SLOWLOG graph [RESET]

    Return the slowest queries of a graph, or forget them.
    """
    graph = graph_of(ctx, graph_key)
    if rest:
        if len(rest) > 1 or rest[0].upper() != b"RESET":
            raise ReplyError("Unknown subcommand")
        graph.slow.clear()
        return OK
    return [
        [str(at_s), name, query, f"{spent_ms:.6g}"] for at_s, name, query, spent_ms in graph.slow
    ]


@command("GRAPH.INFO", arity=-1, flags=READONLY)
def info(ctx: Context, *sections: bytes) -> Reply:
    """GRAPH.INFO [RunningQueries] [WaitingQueries] [ObjectPool]

    Return the queries that run and wait: none, since a query runs to its end before another begins.
    """
    known: dict[bytes, list[Reply]] = {
        b"runningqueries": ["# Running queries", []],
        b"waitingqueries": ["# Waiting queries", []],
        b"objectpool": [
            "Object Pool",
            [["Unique Objects in Pool", 0], ["Average References per Object", 0.0]],
        ],
    }
    wanted = [section.lower() for section in sections] or list(known)
    found: list[Reply] = []
    for section in wanted:
        if section not in known:
            return "no section found"
        found += known[section]
    return found


@command("GRAPH.MEMORY", arity=-3, flags=READONLY, keys=key(2, RO | ACCESS))
def memory(ctx: Context, action: bytes, graph_key: bytes, *rest: bytes) -> Reply:
    """GRAPH.MEMORY USAGE graph [SAMPLES count]

    Return what the parts of a graph take, in megabytes.
    """
    if action.upper() != b"USAGE":
        raise ReplyError(
            f"ERR unknown subcommand '{text(action)}'. expecting GRAPH.MEMORY USAGE <key>"
        )
    if rest and (len(rest) != 2 or rest[0].upper() != b"SAMPLES" or not rest[1].isdigit()):
        raise ReplyError("SAMPLES must be a non-negative integer")
    graph = graph_of(ctx, graph_key)
    store = graph.store
    sizes = store.memory_parts()
    total = sum(sizes.values())
    per_label: dict[str, int] = {}
    unlabelled = 0
    for labels, count in zip(store.label_sets, store.label_counts, strict=True):
        share = sizes["node values"] * count // max(1, store.node_count)
        if not labels:
            unlabelled = share
        for label in labels:
            name = graph.labels.names[label]
            per_label[name] = per_label.get(name, 0) + share
    per_type = {
        name: sizes["edge values"] * store.relation_count(id) // max(1, store.edge_count)
        for id, name in enumerate(graph.types.names)
    }

    def flat(found: dict[str, int]) -> list[Reply]:
        return [part for name, size in found.items() for part in (name, size // MEGABYTE)]

    return [
        "total_graph_sz_mb", total // MEGABYTE,
        "label_matrices_sz_mb", sizes["labels"] // MEGABYTE,
        "relation_matrices_sz_mb", sizes["relations"] // MEGABYTE,
        "amortized_node_block_sz_mb", sizes["nodes"] // MEGABYTE,
        "amortized_node_attributes_by_label_sz_mb", flat(per_label),
        "amortized_unlabeled_nodes_attributes_sz_mb", unlabelled // MEGABYTE,
        "amortized_edge_block_sz_mb", sizes["edges"] // MEGABYTE,
        "amortized_edge_attributes_by_type_sz_mb", flat(per_type),
        "indices_sz_mb", sizes["indexes"] // MEGABYTE,
    ]  # fmt: skip


def ready(ctx: Context, graph: Graph) -> Run:
    """A run of its own on a graph."""
    registry = shared(ctx).registry
    compiler = Compiler(registry, Executor().embedded)
    return Run(graph, registry, compiler, {}, ctx.now_ms, ctx.rng)


@command("GRAPH.EXPLAIN", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS))
def explain(ctx: Context, graph_key: bytes, query: bytes, *options: bytes) -> Reply:
    """GRAPH.EXPLAIN graph query

    Return how a query would run, without running it.
    """
    graph = graph_of(ctx, graph_key)
    run = ready(ctx, graph)
    plan, _ = shared(ctx).read(text(query), run)
    run.compiler = plan.compiler
    return list(explained(plan, graph))


@command("GRAPH.PROFILE", arity=-3, flags=WRITE | DENYOOM, keys=key(1, RW | ACCESS | INSERT))
def profile(ctx: Context, graph_key: bytes, query: bytes, *options: bytes) -> Reply:
    """GRAPH.PROFILE graph query

    Run a query, and return its operations with how many records each made and how long it took.
    """
    from balas_graph.commands import keep

    graph = ctx.write(graph_key, Graph)
    run = ready(ctx, graph or Graph())
    try:
        plan, _ = shared(ctx).read(text(query), run)
        run.compiler = plan.compiler
        begun = perf_counter()
        lines = profiled(plan, run, begun)
        run.graph.constraints.check_changes(run.graph)
    except Exception:
        run.graph.roll_back()
        raise
    keep(ctx, graph_key, graph, run)
    return list(lines)


@command("GRAPH.CONSTRAINT", arity=-8, flags=WRITE | DENYOOM, keys=key(2, RW | ACCESS | INSERT))
def constraint(
    ctx: Context, action: bytes, graph_key: bytes, kind: bytes, entity: bytes, label: bytes,
    word: bytes, count: bytes, *names: bytes,
) -> Reply:  # fmt: skip
    """GRAPH.CONSTRAINT CREATE|DROP graph UNIQUE|MANDATORY NODE|RELATIONSHIP
    label PROPERTIES count property [property ...]

    Demand that properties of nodes or relationships are there, or that their values differ.
    """
    action, kind, entity = action.upper(), kind.upper(), entity.upper()
    refuse_constraint(action, kind, entity, word, count, names)
    graph = ctx.write(graph_key, Graph)
    made = Graph() if graph is None else graph
    edges = entity == b"RELATIONSHIP"
    names_of = made.types if edges else made.labels
    if action == b"CREATE":
        names_of.intern(text(label))
        for name in names:
            made.attributes.intern(text(name))
    found = names_of.get(text(label))
    keys = tuple(made.attributes.get(text(name)) for name in names)
    one = Constraint(kind == b"UNIQUE", edges, found, keys)
    constraints = made.constraints
    if action == b"DROP":
        if one not in constraints.all:
            raise ReplyError("Unable to drop constraint, no such constraint.")
        del constraints.all[one]
    else:
        if constraints.all.get(one):
            raise ReplyError("Constraint already exists")
        if one.unique and any(made.store.index_of(edges, found, key) is None for key in keys):
            raise ReplyError("missing supporting exact-match index")
        constraints.add(made, one)
        made.keep_names()
        made.keep()
    if graph is None:
        ctx.store(graph_key, made)
    ctx.changed(graph_key, "graph.constraint")
    return Status("PENDING") if action == b"CREATE" else OK


def refuse_constraint(
    action: bytes, kind: bytes, entity: bytes, word: bytes, count: bytes, names: tuple[bytes, ...]
) -> None:
    """Refuse the words of GRAPH.CONSTRAINT that cannot be understood."""
    if action not in (b"CREATE", b"DROP"):
        raise ReplyError("Invalid constraint operation")
    if kind not in (b"UNIQUE", b"MANDATORY"):
        raise ReplyError("Invalid constraint type")
    if entity not in (b"NODE", b"RELATIONSHIP"):
        raise ReplyError("Invalid constraint entity type")
    if word.upper() != b"PROPERTIES":
        raise ReplyError("missing PROPERTIES argument")
    if not count.isdigit() or not 1 <= int(count) <= 255:
        raise ReplyError("Number of properties must be an integer between 1 and 255")
    if int(count) != len(names):
        raise ReplyError("Number of properties doesn't match property count")
    if len(set(names)) != len(names):
        raise ReplyError("Properties cannot contain duplicates")
