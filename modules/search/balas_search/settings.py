"""The settings: `search-*` through CONFIG, and by older names through FT.CONFIG."""

from __future__ import annotations

from dataclasses import dataclass

from balas.api import Option

UNLIMITED = 2**63 - 1


def count(name: str, default: int, low: int, high: int, doc: str, mutable: bool = True) -> Option:
    """An option that is a whole number."""
    return Option(name, default, low=low, high=high, doc=doc, mutable=mutable)


def without_effect(name: str, default: int, low: int = 1, mutable: bool = True) -> Option:
    """An option that is kept for its name."""
    return Option(
        name,
        default,
        low=low,
        high=UNLIMITED,
        meaning=False,
        mutable=mutable,
        doc="Changes nothing.",
    )


OPTIONS = (
    count("search-min-prefix", 2, 1, 2**31 - 1, "The fewest characters before or behind a `*`."),
    count("search-min-stem-len", 4, 2, 2**32 - 1, "Shorter words have no stem."),
    count("search-max-search-results", 1_000_000, 0, UNLIMITED, "The most results of FT.SEARCH."),
    count(
        "search-max-aggregate-results",
        UNLIMITED,
        0,
        UNLIMITED,
        "The most results of FT.AGGREGATE.",
    ),
    count("search-max-prefix-expansions", 200, 1, 2**31 - 1, "The most terms one word stands for."),
    count("search-timeout", 500, 0, UNLIMITED, "The longest a query may take, in ms; 0: no limit."),
    Option(
        "search-on-timeout",
        "return",
        choices=("return", "fail"),
        doc="Whether a query that takes too long returns what it has, or fails.",
    ),
    count("search-default-dialect", 1, 1, 4, "The dialect of queries that do not name one."),
    count(
        "search-bm25std-tanh-factor",
        4,
        1,
        10_000,
        "What BM25STD.TANH divides scores by before it takes their hyperbolic tangent.",
    ),
    count(
        "search-cursor-max-idle",
        300_000,
        0,
        UNLIMITED,
        "The longest a cursor may be idle, in ms.",
    ),
    without_effect("search-union-iterator-heap", 20),
    without_effect("search-multi-text-slop", 100, mutable=False),
    without_effect("search-gc-scan-size", 100),
    without_effect("search-fork-gc-run-interval", 30),
    without_effect("search-fork-gc-clean-threshold", 100, low=0),
    without_effect("search-fork-gc-retry-interval", 5),
    without_effect("search-fork-gc-sleep-before-exit", 0, low=0),
    without_effect("search-vss-max-resize", 0, low=0),
    without_effect("search-min-phonetic-term-len", 3),
)


@dataclass(frozen=True, slots=True)
class Legacy:
    """A setting of FT.CONFIG: which option it is, or a fixed text that cannot be changed."""

    name: str
    doc: str
    option: str = ""
    fixed: str | None = None


_EXPANSIONS = "Maximum prefix expansions to be used in a query"
_EMPTY_NODES = "clean empty nodes from numeric tree"
LEGACY = (
    Legacy("EXTLOAD", "Load extension scoring/expansion module"),
    Legacy("NOGC", "Disable garbage collection (for this process)", fixed="false"),
    Legacy("MINPREFIX", "Set the minimum prefix for expansions (`*`)", "search-min-prefix"),
    Legacy("MINSTEMLEN", "Set the minimum word length to stem (default 4)", "search-min-stem-len"),
    Legacy(
        "FORKGC_SLEEP_BEFORE_EXIT",
        "set the amount of seconds for the fork GC to sleep before exists, should always be set "
        "to 0 (other then on tests).",
        "search-fork-gc-sleep-before-exit",
    ),
    Legacy(
        "MAXDOCTABLESIZE",
        "Maximum runtime document table size (for this process)",
        fixed="1000000",
    ),
    Legacy(
        "MAXSEARCHRESULTS",
        "Maximum number of results from ft.search command",
        "search-max-search-results",
    ),
    Legacy(
        "MAXAGGREGATERESULTS",
        "Maximum number of results from ft.aggregate command",
        "search-max-aggregate-results",
    ),
    Legacy("MAXEXPANSIONS", _EXPANSIONS, "search-max-prefix-expansions"),
    Legacy("MAXPREFIXEXPANSIONS", _EXPANSIONS, "search-max-prefix-expansions"),
    Legacy("TIMEOUT", "Query (search) timeout", "search-timeout"),
    Legacy("FRISOINI", "Path to Chinese dictionary configuration file (for Chinese tokenization)"),
    Legacy(
        "ON_TIMEOUT",
        "Action to perform when search timeout is exceeded (choose RETURN or FAIL)",
        "search-on-timeout",
    ),
    Legacy(
        "GCSCANSIZE",
        "Scan this many documents at a time during every GC iteration",
        "search-gc-scan-size",
    ),
    Legacy(
        "MIN_PHONETIC_TERM_LEN",
        "Minumum length of term to be considered for phonetic matching",
        "search-min-phonetic-term-len",
    ),
    Legacy("GC_POLICY", "gc policy to use (DEFAULT/LEGACY)", fixed="fork"),
    Legacy(
        "FORK_GC_RUN_INTERVAL",
        "interval (in seconds) in which to run the fork gc (relevant only when fork gc is used)",
        "search-fork-gc-run-interval",
    ),
    Legacy(
        "FORK_GC_CLEAN_THRESHOLD",
        "the fork gc will only start to clean when the number of not cleaned document will exceed "
        "this threshold",
        "search-fork-gc-clean-threshold",
    ),
    Legacy(
        "FORK_GC_RETRY_INTERVAL",
        "interval (in seconds) in which to retry running the forkgc after failure.",
        "search-fork-gc-retry-interval",
    ),
    Legacy("FORK_GC_CLEAN_NUMERIC_EMPTY_NODES", _EMPTY_NODES, fixed="true"),
    Legacy("_FORK_GC_CLEAN_NUMERIC_EMPTY_NODES", _EMPTY_NODES, fixed="true"),
    Legacy(
        "UNION_ITERATOR_HEAP",
        "minimum number of iterators in a union from which the interator willswitch to heap based "
        "implementation.",
        "search-union-iterator-heap",
    ),
    Legacy(
        "CURSOR_MAX_IDLE",
        "max idle time allowed to be set for cursor, setting it hight might cause high memory "
        "consumption.",
        "search-cursor-max-idle",
    ),
    Legacy("NO_MEM_POOLS", "Set RediSearch to run without memory pools", fixed="false"),
    Legacy(
        "PARTIAL_INDEXED_DOCS",
        "Enable commands filter which optimize indexing on partial hash updates",
        fixed="false",
    ),
    Legacy(
        "UPGRADE_INDEX",
        "Relevant only when loading an v1.x rdb, specify argument for upgrading the index.",
        fixed="Upgrade config for upgrading",
    ),
    Legacy("_NUMERIC_COMPRESS", "Enable legacy compression of double to float.", fixed="false"),
    Legacy(
        "_FREE_RESOURCE_ON_THREAD",
        "Determine whether some index resources are free on a second thread.",
        fixed="true",
    ),
    Legacy(
        "_PRINT_PROFILE_CLOCK",
        "Disable print of time for ft.profile. For testing only.",
        fixed="true",
    ),
    Legacy(
        "RAW_DOCID_ENCODING",
        "Disable compression for DocID inverted index. Boost CPU performance.",
        fixed="false",
    ),
    Legacy(
        "_NUMERIC_RANGES_PARENTS",
        "Keep numeric ranges in numeric tree parent nodes of leafs for `x` generations.",
        fixed="0",
    ),
    Legacy(
        "DEFAULT_DIALECT",
        "Set RediSearch default dialect version throught the lifetime of the server.",
        "search-default-dialect",
    ),
    Legacy(
        "VSS_MAX_RESIZE",
        "Set RediSearch vector indexes max resize (in bytes).",
        "search-vss-max-resize",
    ),
    Legacy(
        "MULTI_TEXT_SLOP",
        "Set RediSearch delta used to increase positional offsets between array slots for multi "
        "text values.Can control the level of separation between phrases in different array slots "
        "(related to the SLOP parameter of ft.search command)",
        "search-multi-text-slop",
    ),
    Legacy(
        "BG_INDEX_SLEEP_GAP",
        "The number of iterations to run while performing background indexing before we call "
        "usleep(1) (sleep for 1 micro-second) and make sure that we allow redis process other "
        "commands.",
        fixed="100",
    ),
    Legacy(
        "_PRIORITIZE_INTERSECT_UNION_CHILDREN",
        "Intersection iterator orders the children iterators by their relative estimated number "
        "of results in ascending order, so that if we see first iterators with a lower count of "
        "results we will skip a larger number of results, which translates into faster iteration. "
        "If this flag is set, we use this optimization in a way where union iterators are being "
        "factorize by the number of their own children, so that we sort by the number of children "
        "times the overall estimated number of results instead.",
        fixed="false",
    ),
)
