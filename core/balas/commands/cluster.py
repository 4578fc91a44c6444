"""Commands of the group *cluster*: known, documented, and refused.

Balas is no part of a cluster. Clients ask these commands to find out, and must be answered as by
any server that has cluster support disabled.
"""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry import Declaration, container
from balas.registry.flags import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE

DISABLED = "ERR This instance has cluster support disabled"

CONTAINER = container(
    "CLUSTER",
    group="cluster",
    since="3.0.0",
    doc="""CLUSTER subcommand [arg ...]

    A container for commands of clusters, which this server is no part of.
    """,
)


def refuse(ctx: Context, first: bytes = b"", second: bytes = b"") -> Reply:
    """Whatever is asked: there is no cluster."""
    raise ReplyError(DISABLED)


def refuse_any(ctx: Context, *arguments: bytes) -> Reply:
    """The same for commands that take any number of arguments."""
    raise ReplyError(DISABLED)


def refused(
    synopsis: str, what: str, arity: int, flags: int, since: str = "3.0.0", *categories: str
) -> Declaration:
    """A command of clusters. `what` is what it does in one."""
    words = synopsis.split()
    name = " ".join(words[: 2 if words[0] == "CLUSTER" else 1])
    doc = f"{synopsis}\n\n{what}. Refused: this server is no part of a cluster."
    handler = refuse if arity > 0 else refuse_any
    return Declaration(name, arity, flags, (), None, "cluster", since, categories, doc, handler)


LOOKING = STALE
SHOWING = LOADING | STALE
MANAGING = ADMIN | STALE
CHANGING = MANAGING | NO_ASYNC_LOADING

COMMANDS = (
    refused(
        "ASKING",
        "Lets the next command use a slot that is on its way to this node",
        1,
        FAST,
        "3.0.0",
        "connection",
    ),
    refused("CLUSTER ADDSLOTS slot [slot ...]", "Gives slots to a node", -3, CHANGING),
    refused(
        "CLUSTER ADDSLOTSRANGE start-slot end-slot [start-slot end-slot ...]",
        "Gives ranges of slots to a node",
        -4,
        CHANGING,
        "7.0.0",
    ),
    refused("CLUSTER BUMPEPOCH", "Advances the epoch", 2, CHANGING),
    refused(
        "CLUSTER COUNT-FAILURE-REPORTS node-id",
        "Counts who believes that a node has failed",
        3,
        MANAGING,
    ),
    refused("CLUSTER COUNTKEYSINSLOT slot", "Counts the keys of a slot", 3, LOOKING),
    refused("CLUSTER DELSLOTS slot [slot ...]", "Takes slots from a node", -3, CHANGING),
    refused(
        "CLUSTER DELSLOTSRANGE start-slot end-slot [start-slot end-slot ...]",
        "Takes ranges of slots from a node",
        -4,
        CHANGING,
        "7.0.0",
    ),
    refused(
        "CLUSTER FAILOVER [FORCE | TAKEOVER]",
        "Lets a replica take over from its primary",
        -2,
        CHANGING,
    ),
    refused("CLUSTER FLUSHSLOTS", "Takes all slots from a node", 2, CHANGING),
    refused("CLUSTER FORGET node-id", "Removes a node from those that are known", 3, CHANGING),
    refused("CLUSTER GETKEYSINSLOT slot count", "Lists keys of a slot", 4, LOOKING),
    refused("CLUSTER HELP", "Returns a short help about the subcommands", 2, SHOWING, "5.0.0"),
    refused("CLUSTER INFO", "Returns the state of the cluster", 2, LOOKING),
    refused("CLUSTER KEYSLOT key", "Returns the slot of a key", 3, LOOKING),
    refused("CLUSTER LINKS", "Lists the connections to other nodes", 2, LOOKING, "7.0.0"),
    refused("CLUSTER MEET ip port [cluster-bus-port]", "Makes a node known", -4, CHANGING),
    refused("CLUSTER MYID", "Returns the id of the node", 2, LOOKING),
    refused("CLUSTER MYSHARDID", "Returns the id of the shard of the node", 2, LOOKING, "7.2.0"),
    refused("CLUSTER NODES", "Lists the nodes that the node knows", 2, LOOKING),
    refused("CLUSTER REPLICAS node-id", "Lists the replicas of a node", 3, MANAGING, "5.0.0"),
    refused("CLUSTER REPLICATE node-id", "Makes a node a replica of another", 3, CHANGING),
    refused(
        "CLUSTER RESET [HARD | SOFT]", "Makes a node forget the others", -2, MANAGING | NOSCRIPT
    ),
    refused("CLUSTER SAVECONFIG", "Writes what the node knows to its disk", 2, CHANGING),
    refused("CLUSTER SET-CONFIG-EPOCH config-epoch", "Sets the epoch of a new node", 3, CHANGING),
    refused(
        "CLUSTER SETSLOT slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        "Says where a slot is, or goes",
        -4,
        CHANGING,
    ),
    refused("CLUSTER SHARDS", "Lists the shards with their slots and nodes", 2, SHOWING, "7.0.0"),
    refused("CLUSTER SLAVES node-id", "Lists the replicas of a node", 3, MANAGING),
    refused(
        "CLUSTER SLOT-STATS <SLOTSRANGE start-slot end-slot | "
        "ORDERBY metric [LIMIT limit] [ASC | DESC]>",
        "Returns what slots are used for",
        -4,
        SHOWING,
        "8.2.0",
    ),
    refused("CLUSTER SLOTS", "Lists the slots with their nodes", 2, SHOWING),
    refused(
        "READONLY",
        "Lets this connection read from a replica",
        1,
        SHOWING | FAST,
        "3.0.0",
        "connection",
    ),
    refused("READWRITE", "Ends what READONLY began", 1, SHOWING | FAST, "3.0.0", "connection"),
)
