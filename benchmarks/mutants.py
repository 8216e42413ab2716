"""Are the tests tested? ``python benchmarks/mutants.py [--count 100] [--seed 0] [MODULE.py ...]``

One small change at a time (a mutant) is made to a module, and the tests of that module run. A mutant dies if
they fail, crash or never end; one that survives shows a line that no test holds, or an equivalent change.

Changed are comparisons (``<`` to ``<=``), arithmetic (``+`` to ``-``), ``and`` to ``or``, ``not x`` to ``x``,
and whole numbers (n to n + 1). Texts, annotations and messages of errors are left alone. The tests are the
file ``test_MODULE.py`` in the mirrored folder, and those of :data:`MORE_TESTS`. ``--count`` mutants are drawn
evenly over the modules. Standard output has one line per survivor, then a table; ``--json`` keeps both.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CORE = (
    "hmcbench/hierarchy/edges.py",
    "hmcbench/hierarchy/graph.py",
    "hmcbench/hierarchy/hierarchy.py",
    "hmcbench/metrics/decisions.py",
    "hmcbench/metrics/evaluation.py",
    "hmcbench/metrics/pooled.py",
    "hmcbench/metrics/selection.py",
    "hmcbench/leaderboard/statistics.py",
    "hmcbench/data/stratify.py",
    "hmcbench/data/splits.py",
    "hmcbench/plan/cells.py",
    "hmcbench/records/record.py",
    "hmcbench/records/predictions.py",
    "hmcbench/execute/locks.py",
)
MORE_TESTS = {  # tests of a module beside those of its own name
    "hmcbench/hierarchy/hierarchy.py": ["tests/hmcbench/hierarchy/test_csv_rows.py"],
    "hmcbench/metrics/evaluation.py": [
        "tests/hmcbench/metrics/test_reference.py",
        "tests/hmcbench/metrics/test_fixtures.py",
    ],
    "hmcbench/plan/cells.py": ["tests/hmcbench/plan/test_suite.py"],
}
COPIED = ("hmcbench", "plugins", "tests", "pyproject.toml", "conftest.py")
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: the ``number``-th place of a module that can be changed, its line, and what it says now."""

    module: str
    number: int
    line: int
    change: str


class Count(NamedTuple):
    """Mutants of a module: all, tried, and died."""

    module: str
    mutants: int
    tried: int
    died: int


class Changer(ast.NodeTransformer):
    """Counts the places that can be changed, and changes the one with the number ``at``."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.places: list[tuple[int, str]] = []  # line, and what the change is

    def _changed(self, node: ast.expr, other: ast.expr) -> ast.expr:
        self.places.append((node.lineno, f"{ast.unparse(node)}  ->  {ast.unparse(other)}"))
        return ast.copy_location(other, node) if len(self.places) - 1 == self.at else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        changed = COMPARISONS.get(type(node.ops[0]))
        return self._changed(node, _with(node, ops=[changed(), *node.ops[1:]])) if changed else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        changed = ARITHMETIC.get(type(node.op))
        texts = any(
            isinstance(part, (ast.JoinedStr, ast.List, ast.Tuple)) for part in (node.left, node.right)
        )
        return self._changed(node, _with(node, op=changed())) if changed and not texts else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return self._changed(node, _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self._changed(node, node.operand) if isinstance(node.op, ast.Not) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return self._changed(node, ast.Constant(node.value + 1))
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return node  # the words of a message

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.defaults = [self.visit(default) for default in node.defaults]
        return node


def _with(node: ast.expr, **fields: object) -> ast.expr:
    """The node with other fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def mutants(module: str) -> list[Mutant]:
    """All mutants of a module."""
    changer = Changer()
    changer.visit(ast.parse((ROOT / module).read_text(encoding="utf-8")))
    return [Mutant(module, number, line, change) for number, (line, change) in enumerate(changer.places)]


def mutated(mutant: Mutant) -> str:
    """The text of the mutant's module."""
    tree = ast.parse((ROOT / mutant.module).read_text(encoding="utf-8"))
    return ast.unparse(ast.fix_missing_locations(Changer(mutant.number).visit(tree)))


def tests_of(module: str) -> list[str]:
    """The test files of a module."""
    path = Path("tests") / module
    own = path.with_name(f"test_{path.name}")
    return [str(own)] * (ROOT / own).exists() + MORE_TESTS.get(module, [])


class Trial:
    """A copy of the code in which one module at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)
        paths = os.pathsep.join(str(folder / name) for name in ("", "plugins"))
        self.environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, tests: Sequence[str], timeout: float) -> bool:
        """Whether the tests pass in time."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            ended = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0

    def survives(self, mutant: Mutant, timeout: float) -> bool:
        target = self.folder / mutant.module
        original = target.read_text(encoding="utf-8")
        target.write_text(mutated(mutant), encoding="utf-8")
        try:
            return self.run(tests_of(mutant.module), timeout)
        finally:
            target.write_text(original, encoding="utf-8")


def drawn(modules: Sequence[str], count: int, seed: int) -> Iterator[tuple[str, list[Mutant]]]:
    """``count`` mutants, evenly over the modules."""
    for i, module in enumerate(modules):
        every = mutants(module)
        share = count // len(modules) + (i < count % len(modules))
        yield module, random.Random(f"{seed} {module}").sample(every, min(share, len(every)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", default=CORE)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    lines: list[Count] = []
    survivors: list[Mutant] = []
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name))
        for module, chosen in drawn(args.modules, args.count, args.seed):
            start = time.monotonic()
            if not trial.run(tests_of(module), 600):
                raise SystemExit(f"{module}: its tests {tests_of(module)} do not pass without a change")
            timeout = 20 + 3 * (time.monotonic() - start)
            alive = []
            for mutant in chosen:
                if trial.survives(mutant, timeout):
                    alive.append(mutant)
                    print(f"alive  {mutant.module}:{mutant.line}  {mutant.change}", flush=True)
            survivors += alive
            lines.append(Count(module, len(mutants(module)), len(chosen), len(chosen) - len(alive)))
            print("| {} | {} | {} | {} |".format(*lines[-1]), flush=True)
    print("\n| module | mutants | tried | died |\n|---|---:|---:|---:|")
    for line in lines:
        print("| `{}` | {} | {} | {} |".format(*line))
    total = (sum(c.mutants for c in lines), sum(c.tried for c in lines), sum(c.died for c in lines))
    print("| all | {} | {} | {} |".format(*total))
    if args.json:
        args.json.write_text(json.dumps({"table": lines, "alive": [asdict(m) for m in survivors]}, indent=1))


if __name__ == "__main__":
    main()
