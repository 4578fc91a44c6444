"""What kind of value an expression has, as far as its text tells.

Kinds are "node", "edge", "edges", "path", "boolean", "number", "string", "list", "map", and "any"
where only a run can tell.
"""

from __future__ import annotations

from balas_graph.language import tree
from balas_graph.language.tree import Expression

Scope = dict[str, str]
LITERALS: dict[type, str] = {
    bool: "boolean", int: "number", float: "number", str: "string", type(None): "any",
}  # fmt: skip
TRUTHS = ("AND", "OR", "XOR", "IN", "STARTS WITH", "ENDS WITH", "CONTAINS", "=~")
CALLS = {"count": "number", "collect": "list", "range": "list", "keys": "list", "size": "number"}


def kind_of(node: Expression, scope: Scope) -> str:
    """The kind of an expression's value; null is of any."""
    match node:
        case tree.Variable():
            return scope.get(node.name, "any")
        case tree.Literal():
            return LITERALS[type(node.value)]
        case tree.ListOf() | tree.ListComprehension():
            return "list"
        case tree.MapOf():
            return "map"
        case tree.Chain() | tree.IsNull() | tree.HasLabels() | tree.Quantifier():
            return "boolean"
        case tree.Unary():
            return "boolean" if node.operator == "NOT" else "any"
        case tree.Binary():
            return "boolean" if node.operator in TRUTHS else "any"
        case tree.Call():
            return CALLS.get(node.name, "any")
    return "any"


def item_kind(node: Expression, scope: Scope) -> str:
    """The kind of every item of a list."""
    if isinstance(node, tree.ListOf):
        kinds = {kind_of(item, scope) for item in node.items}
        return kinds.pop() if len(kinds) == 1 else "any"
    if isinstance(node, tree.Variable) and scope.get(node.name) == "edges":
        return "edge"
    return "any"


def accepts(wanted: str, kind: str) -> bool:
    """Whether a function that takes `wanted` may take this kind."""
    if "any" in (wanted, kind) or wanted == kind:
        return True
    return (wanted, kind) in (("integer", "number"), ("list", "edges"))
