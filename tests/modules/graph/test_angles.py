"""Angles and powers, tests for emptiness, and conversions that never raise."""

import pytest

from balas.testing import Client

VALUES = (
    ("tan(0)", "0"),
    ("cot(1)", "0.642092615934331"),
    ("asin(1)", "1.5707963267949"),
    ("acos(0)", "1.5707963267949"),
    ("atan(1)", "0.785398163397448"),
    ("atan2(1, 1)", "0.785398163397448"),
    ("degrees(pi())", "180"),
    ("radians(180)", "3.14159265358979"),
    ("haversin(pi())", "1"),
    ("pow(2, 3)", "8"),
    ("asin(2)", "nan"),
    ("tan(null)", None),
    ("pow(2, null)", None),
    ("isEmpty([])", "true"),
    ("isEmpty('a')", "false"),
    ("isEmpty({})", "true"),
    ("isEmpty(null)", None),
    ("toIntegerOrNull('7')", 7),
    ("toIntegerOrNull([])", None),
    ("toFloatOrNull('1.5')", "1.5"),
    ("toFloatOrNull({})", None),
    ("toBooleanOrNull('TRUE')", "true"),
    ("toBooleanOrNull(1.5)", None),
    ("toStringOrNull(3)", "3"),
    ("toStringOrNull([1])", None),
)


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_values(graph: Client, expression: str, expected: object) -> None:
    value = graph("GRAPH.QUERY", "g", f"RETURN {expression}")[1][0][0]
    assert (value.decode() if isinstance(value, bytes) else value) == expected


@pytest.mark.parametrize("expression", ["tan('a')", "pow(1, [])", "isEmpty(1)"])
def test_kinds_are_checked(graph: Client, expression: str) -> None:
    assert "Type mismatch" in graph.error("GRAPH.QUERY", "g", f"RETURN {expression}")
