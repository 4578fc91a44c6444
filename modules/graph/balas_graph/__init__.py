"""Graphs: openCypher over the keyspace, as FalkorDB's GRAPH.* commands offer it.

A text becomes tokens and a tree (`language`), is checked, and runs clause by clause (`execution`)
over rows, whose expressions are compiled to functions (`evaluation`). The graph itself stands in
`storage`. Functions and procedures are declared where they are written (`evaluation.registry`).
"""

from balas_graph import administration
from balas_graph import commands as graph_commands
from balas_graph.commands import Plans
from balas_graph.execution.loading import OPTIONS
from balas_graph.storage.graph import Graph


class Graphs(Plans):
    """The module "graph", with the version of FalkorDB it stands in for."""

    name = "graph"
    version = 41603
    commands = (graph_commands, administration)
    types = (Graph,)
    options = OPTIONS
