"""How strong the unit tests are: single faults are put into the code, and the tests must find them.

    python -m tests.mutants --sample 60 --seed 1         a sample of all mutants
    python -m tests.mutants --only m3net/ct/stack.py        every mutant of one file
    python -m tests.mutants --list                       what there is, without a run

A mutant is one operator, comparison or number changed in a copy of the tree, never in this one.
What guards against the programmer only (a dataclass' options, zip's `strict`) is left as it is,
and so is what `equivalent_mutants.tsv` lists: changes that nobody could notice, each with its why.
The tests that mirror the mutated file are run on it (`MIRRORS` where they have another name); what
they let pass is a survivor.  Prints one JSON object a mutant, then the survivors; exit status 1 if
there are any.
"""

import argparse
import ast
import compileall
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import cache_from_source
from pathlib import Path
from queue import Queue

import pytest

ROOT = Path(__file__).parents[1]
MUTATED = (
    "m3net/annotations",
    "m3net/attributes.py",
    "m3net/ct",
    "m3net/surroundings.py",
    "m3net/volume.py",
    "node/core",
)
EQUIVALENT = ROOT / "tests" / "equivalent_mutants.tsv"
COPIED = ("m3net", "node", "sr_templates", "training", "tests", "deploy")
FILES = ("setup.cfg", "pyproject.toml", "README.md")

_ANNOTATIONS = "tests/m3net/annotations"
MIRRORS = {
    "m3net/ct/layout.py": ["tests/m3net/ct/test_series.py"],
    "m3net/volume.py": ["tests/m3net/ct/test_series.py"],
    "m3net/annotations/readers.py": [f"{_ANNOTATIONS}/test_presentation_state.py"],
    "m3net/annotations/attributes.py": [f"{_ANNOTATIONS}/test_structure_set.py"],
    "m3net/annotations/coding.py": [f"{_ANNOTATIONS}/test_meaning.py"],
    "m3net/annotations/evidence.py": [
        f"{_ANNOTATIONS}/test_chest_cad.py",
        f"{_ANNOTATIONS}/test_viewer_reports.py",
    ],
    "m3net/annotations/graphics.py": [f"{_ANNOTATIONS}/test_presentation_state.py"],
    "m3net/annotations/image_classes.py": [
        f"{_ANNOTATIONS}/test_viewer_reports.py",
        "tests/node/core/test_selection.py",
    ],
    "m3net/annotations/joining.py": [f"{_ANNOTATIONS}/test_viewer_reports.py"],
    "m3net/annotations/measurement_group.py": [f"{_ANNOTATIONS}/test_viewer_reports.py"],
    "m3net/annotations/measurement_report.py": [f"{_ANNOTATIONS}/test_viewer_reports.py"],
    "m3net/annotations/labels.py": [f"{_ANNOTATIONS}/test_meaning.py"],
    "m3net/annotations/merging.py": [f"{_ANNOTATIONS}/test_nodules.py"],
    "m3net/annotations/placing.py": [f"{_ANNOTATIONS}/test_nodules.py"],
    "m3net/annotations/vocabulary.py": [f"{_ANNOTATIONS}/test_labels.py"],
    "m3net/annotations/components.py": [f"{_ANNOTATIONS}/test_nodules.py"],
    "m3net/annotations/segmentation_frames.py": [f"{_ANNOTATIONS}/test_segmentation.py"],
    "m3net/annotations/segmentation_masks.py": [f"{_ANNOTATIONS}/test_segmentation.py"],
    "m3net/annotations/segmentation_places.py": [f"{_ANNOTATIONS}/test_segmentation.py"],
    "m3net/annotations/regions.py": [
        f"{_ANNOTATIONS}/test_regions.py",
        f"{_ANNOTATIONS}/test_measurement_report.py",
    ],
    "node/core/errors.py": ["tests/node/outbound/test_statuses.py"],
    "node/core/inputs.py": ["tests/node/core/test_selection.py"],
    "node/core/objects.py": [
        "tests/node/core/test_objects.py",
        "tests/node/core/test_pipeline.py",
    ],
    "node/core/uids.py": ["tests/node/core/test_pipeline.py"],
    "node/core/slices.py": ["tests/node/core/test_selection.py"],
    "node/core/series_choice.py": ["tests/node/core/test_selection.py"],
    "node/core/assessment.py": ["tests/node/core/test_assessment.py"],
}
"""Where a file's tests are, beside those in one of its name; if in neither, all of a folder."""

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


_FOR_PROGRAMMERS = ("strict", "repr")
"""Options that guard against them, or tell them something, and no one else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: the `number`-th that can be made in a file, the `nth` such change in its line."""

    file: str
    number: int
    line: int
    change: str
    nth: int


class _Change(ast.NodeTransformer):
    """Makes the fault of one number, or (number None) counts what there is."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number
        self.found: list[tuple[int, str]] = []

    def _is_next(self, line: int, change: str) -> bool:
        self.found.append((line, change))
        return self.number == len(self.found) - 1

    def _swapped(self, operator: ast.AST, line: int) -> ast.AST:
        other = _SWAPS.get(type(operator))
        if other is None:
            return operator
        change = f"{type(operator).__name__} -> {other.__name__}"
        return other() if self._is_next(line, change) else operator

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:  # ast's own name
        self.generic_visit(node)
        node.op = self._swapped(node.op, node.lineno)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.op = self._swapped(node.op, node.lineno)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        node.ops = [self._swapped(op, node.lineno) for op in node.ops]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert):
            name = type(node.op).__name__
            return node.operand if self._is_next(node.lineno, f"{name} dropped") else node
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            if self._is_next(node.lineno, f"{value} -> {not value}"):
                return ast.copy_location(ast.Constant(not value), node)
        elif isinstance(value, int | float):
            other = value + 1 if isinstance(value, int) else value * 2 + 0.1
            if self._is_next(node.lineno, f"{value} -> {other}"):
                return ast.copy_location(ast.Constant(other), node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:  # an annotation is no code that runs
            node.value = self.visit(node.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node if node.arg in _FOR_PROGRAMMERS else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        node.args.defaults = [self.visit(value) for value in node.args.defaults]
        return node


def mutants_of(file: str) -> list[Mutant]:
    """Every fault that can be made in the file."""
    counted = _Change()
    counted.visit(ast.parse((ROOT / file).read_text()))
    seen: Counter[tuple[int, str]] = Counter()
    found = []
    for number, (line, change) in enumerate(counted.found):
        seen[line, change] += 1
        nth = seen[line, change]
        found.append(Mutant(file=file, number=number, line=line, change=change, nth=nth))
    return found


def why_equivalent(mutants: Sequence[Mutant]) -> dict[Mutant, str]:
    """Those that `equivalent_mutants.tsv` lists, by file, text of the line and change."""
    _, *rows = (line.split("\t") for line in EQUIVALENT.read_text().splitlines())
    listed = {(file, source, change, int(nth)): why for file, source, change, nth, why in rows}
    lines = {file: (ROOT / file).read_text().splitlines() for file in {m.file for m in mutants}}
    keys = {m: (m.file, lines[m.file][m.line - 1].strip(), m.change, m.nth) for m in mutants}
    return {mutant: listed[key] for mutant, key in keys.items() if key in listed}


def mutated(mutant: Mutant) -> str:
    """The file's source with the fault in it."""
    tree = _Change(mutant.number).visit(ast.parse((ROOT / mutant.file).read_text()))
    return ast.unparse(ast.fix_missing_locations(tree))


def tests_of(file: str) -> list[str]:
    """The tests that must find a fault in the file, its own first: they are the fast ones."""
    path = Path(file)
    own = Path("tests") / path.parent / f"test_{path.name}"
    found = [test for test in (str(own), *MIRRORS.get(file, ())) if (ROOT / test).exists()]
    return list(dict.fromkeys(found)) or [str(own.parent)]


def survives(mutant: Mutant, *, tree: Path, timeout_s: float) -> bool:
    """Whether the mirroring tests pass in `tree` with the fault in it."""
    target = tree / mutant.file
    target.write_text(mutated(mutant))
    Path(cache_from_source(target)).unlink(missing_ok=True)  # it may be as old and as long
    try:
        run = _FORKS.Process(target=_run_tests, args=(tree, tests_of(mutant.file)))
        run.start()
        run.join(timeout_s)
        if run.is_alive():  # it does not end, which a test that waits would see
            run.kill()
            run.join()
    finally:
        shutil.copyfile(ROOT / mutant.file, target)
    return run.exitcode == 0


_FORKS = multiprocessing.get_context("forkserver")
_SLOW_TO_IMPORT = [
    "highdicom",
    "hypothesis.strategies",
    "numpy",
    "pydantic",
    "pydicom",
    "scipy.ndimage",
    "torch",
]
"""What every run would import anew; all that is the project's own is imported in its tree."""


def _run_tests(tree: Path, tests: Sequence[str]) -> None:
    """Exits as pytest does, with the packages of `tree` and without a word."""
    os.chdir(tree)
    for name in [name for name in sys.modules if name.partition(".")[0] in COPIED]:
        del sys.modules[name]
    sys.path.insert(0, str(tree))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*options, "-m", "not lidc and not peers", *tests]))


def _all_files(only: Sequence[str]) -> Iterator[str]:
    for name in only or MUTATED:
        path = ROOT / name
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        yield from (str(file.relative_to(ROOT)) for file in files)


def _copied_tree(folder: Path) -> Path:
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    compileall.compile_dir(folder, quiet=2)  # no run writes what it compiles
    return folder


def main() -> int:
    """Run as the module's docstring says."""
    parser = argparse.ArgumentParser(description="Mutants that the unit tests do not find.")
    parser.add_argument("--sample", type=int, help="how many, drawn at random; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="files or folders")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--timeout-s", type=float, default=300.0)
    parser.add_argument("--list", action="store_true")
    chosen = parser.parse_args()
    mutants = [mutant for file in _all_files(chosen.only) for mutant in mutants_of(file)]
    if chosen.sample is not None and chosen.sample < len(mutants):
        mutants = sorted(
            random.Random(chosen.seed).sample(mutants, chosen.sample),
            key=lambda mutant: (mutant.file, mutant.number),
        )
    if chosen.list:
        for mutant in mutants:
            print(json.dumps(asdict(mutant)))
        return 0
    equivalent = why_equivalent(mutants)
    mutants = [mutant for mutant in mutants if mutant not in equivalent]
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    _FORKS.set_forkserver_preload(_SLOW_TO_IMPORT)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.parallel) as pool:
        trees: Queue[Path] = Queue()
        for number in range(chosen.parallel):
            trees.put(_copied_tree(Path(folder) / str(number)))

        def tried(mutant: Mutant) -> bool:
            tree = trees.get()
            try:
                survived = survives(mutant, tree=tree, timeout_s=chosen.timeout_s)
            finally:
                trees.put(tree)
            print(json.dumps({**asdict(mutant), "survived": survived}), flush=True)
            return survived

        survivors = [
            m for m, survived in zip(mutants, pool.map(tried, mutants), strict=True) if survived
        ]
    found = len(mutants) - len(survivors)
    print(f"{found} of {len(mutants)} mutants found, {len(equivalent)} more are equivalent")
    for mutant in survivors:
        print(f"SURVIVES {mutant.file}:{mutant.line} {mutant.change}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
