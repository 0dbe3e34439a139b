"""The network can be read by its shapes: every line of a forward pass bears one."""

import ast
from pathlib import Path

import pytest

import m3net

PASSES = {"forward", "lower", "upper", "features", "tokens", "logits", "feedforward", "attend"}
PASSES |= {"_from_features", "_from_logits", "forward_all", "project"}


def steps_without_a_shape(source: str) -> list[str]:
    """Assignments and returns of forward passes that call something and end without "# (...)"."""
    lines = source.splitlines()
    return [
        f"{function.name}: {lines[(step.end_lineno or 0) - 1].strip()}"
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef) and function.name in PASSES
        for step in ast.walk(function)
        if isinstance(step, ast.Assign | ast.Return | ast.AnnAssign)
        and any(isinstance(part, ast.Call) for part in ast.walk(step))
        and "# (" not in lines[(step.end_lineno or 0) - 1]
    ]


@pytest.mark.parametrize("module", ["encoders", "fusion", "network"])
def test_every_line_of_a_forward_pass_bears_its_shape(module: str) -> None:
    source = (Path(m3net.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    assert steps_without_a_shape(source) == []


def test_a_line_without_a_shape_is_found() -> None:
    source = "def forward(x):\n    return relu(x)\n"
    assert steps_without_a_shape(source) == ["forward: return relu(x)"]
