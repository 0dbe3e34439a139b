"""`except Exception` stands in outer loops, each listed here with what it keeps going."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("node", "m3net", "sr_templates", "training")
BROAD = {"Exception", "BaseException"}

OUTER_LOOPS = {
    "node/cli/__init__.py:_run": "the command line: one line for a person, exit status 1",
    "node/app.py:run_role": "a process of `serve`: logged, and the supervisor starts it again",
    "node/ticks.py:_called": "a tick: the next one comes all the same",
    "node/watch/one_look.py:OneLook._fill": "a look: whoever asked gets what went wrong",
    "node/watch/pulse.py:Pulse._beat": "a missed beat: the next one may succeed",
    "node/watch/pulse.py:Pulse.__exit__": "the last word of a process that ends: it ends anyway",
    "node/work/planner.py:Planner.plan": "a study that cannot be judged: those behind it are",
    "node/work/worker.py:Worker.work_one": "a failure report: the others are written before it",
    "node/inbound/dimse/association.py:Association._stored": "an object: its sender is answered",
    "node/inbound/reading.py:Reading._read_one": "an object: known as unreadable, others are read",
    "node/inbound/reading.py:Reading._says": "an object: found by its UIDs, others by all they say",
    "node/lease_holder.py:keep_working": "a holder's loop: the database may be away for a while",
    "node/lease_holder.py:LeaseHolder.hold": "leased work: tried again or dead, the next is held",
    "node/lease_holder.py:Heartbeat._beat": "a missed beat: the next one may succeed",
    "node/web/dicomweb/transaction.py:Transaction._try_to_keep": "an object: answered as failed",
    "node/pull/taking.py:Taking.store": "an object: its source is answered, and the fetch ends",
    "node/web/problems.py:Guarded.__call__": "a request: it is answered, and others are",
    "node/offline/judging.py:Judge.judge": "a study in a folder: reported, and the next is judged",
    "node/operator/check.py:check_node": "a check that fails: a finding, and the others are made",
    "training/data/prepare.py:_record": "one odd file: named, and the work of hours goes on",
}


def test_whatever_is_caught_without_a_name_is_caught_in_an_outer_loop() -> None:
    assert sorted(broad_handlers()) == sorted(OUTER_LOOPS)


def broad_handlers() -> Iterator[str]:
    """`file:function` of every place that catches any exception at all and does not pass it on."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for name in swallowed_in(tree, ()):
                yield f"{path.relative_to(ROOT)}:{name}"


def swallowed_in(node: ast.AST, within: tuple[str, ...]) -> Iterator[str]:
    """The functions below the node in which any exception at all is caught and not passed on."""
    for child in ast.iter_child_nodes(node):
        if swallows(child):
            yield ".".join(within) or "the module"
        inner = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = (*within, child.name)
        yield from swallowed_in(child, inner)


def swallows(node: ast.AST) -> bool:
    """A handler of everything that does not end with `raise`, or `suppress` of everything."""
    match node:
        case ast.ExceptHandler(type=kind, body=[*_, last]):
            kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
            passes_on = isinstance(last, ast.Raise) and last.exc is None
            return (kind is None or any(map(is_broad, kinds))) and not passes_on
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds):
            return any(map(is_broad, kinds))
        case _:
            return False


def is_broad(kind: ast.expr | None) -> bool:
    """Exception or BaseException."""
    return isinstance(kind, ast.Name) and kind.id in BROAD


def test_the_search_finds_every_way_of_catching_all() -> None:
    source = """
try: pass
except: pass
class A:
    def one(self):
        try: pass
        except (ValueError, Exception): pass
    def two(self):
        try: pass
        except BaseException:
            raise
        try: pass
        except ValueError: pass
    def three(self):
        with contextlib.suppress(Exception): pass
    def four(self):
        with suppress(OSError): pass
"""
    assert list(swallowed_in(ast.parse(source), ())) == ["the module", "A.one", "A.three"]
