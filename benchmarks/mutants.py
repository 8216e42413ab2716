"""Are the tests tested? ``python benchmarks/mutants.py [--count 100] [--seed 0] [MODULE.py ...]``

One small change at a time (a mutant) is made to a module, and the tests of that module run. A mutant dies if
they fail, crash or never end; one that survives shows a line that no test holds, or an equivalent change.

Changed are comparisons (``<`` to ``<=``), arithmetic (``+`` to ``-``), ``and`` to ``or``, ``not x`` to ``x``,
and whole numbers (n to n + 1). Texts, annotations and messages of errors are left alone. The tests are the
file ``test_MODULE.py`` in the mirrored folder, and those of :data:`MORE_TESTS`, but none that is marked slow.
``--count`` mutants are drawn evenly over the modules (``--count 0``: all). How they are tried is in
``mutant_trials.py``.

Changes that no test can notice are listed in ``equivalent_mutants.toml``, each with the reason. They are
tried like the others and count apart if they survive.

Standard output has every other survivor, as an entry of that file, then a table. ``--json FILE`` keeps the
results, beside those of other modules that the file has; ``--table FILE`` prints the table of a kept file.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mutant_trials import STOPPED, Trial

ROOT = Path(__file__).resolve().parents[1]
Key = tuple[str, str, str, str]
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
    "hmcbench/data/stratify.py": ["tests/hmcbench/data/test_splits.py"],
    "hmcbench/plan/cells.py": [
        "tests/hmcbench/plan/test_datasets_of_suite.py",
        "tests/hmcbench/plan/test_epochs.py",
        "tests/hmcbench/plan/test_shifts.py",
    ],
    "hmcbench/records/predictions.py": [
        "tests/hmcbench/records/test_maps.py",
        "tests/hmcbench/records/test_score_bits.py",
    ],
}
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
    """One change: the ``number``-th place of a module that can be changed.

    ``key`` finds it again when lines have moved: the module, the function, the text of the line, and what
    the change is; a line with the same change twice has ``(2)`` behind the second.
    """

    module: str
    number: int
    line: int
    where: str
    text: str
    change: str

    @property
    def key(self) -> Key:
        return self.module, self.where, self.text, self.change

    def entry(self) -> str:
        """As ``equivalent_mutants.toml`` lists it."""
        fields = {"module": self.module, "where": self.where, "line": self.text, "change": self.change}
        lines = [f"{name} = {_quoted(value)}" for name, value in fields.items()]
        return "\n".join(["[[equivalent]]", *lines, 'reason = ""', ""])


@dataclass(frozen=True)
class Result:
    """What came of the mutants of a module.

    Attributes:
        possible: how many there are.
        tried: of these.
        noticed: of the tried; ``stopped`` of them crashed or ran into the time limit.
        equivalent: survivors that are listed as such.
        left: the other survivors.
    """

    module: str
    possible: int
    tried: int
    noticed: int
    stopped: int
    equivalent: int
    left: Sequence[Mapping[str, str]]

    def row(self) -> tuple[int, ...]:
        return self.possible, self.tried, self.noticed, self.stopped, self.equivalent, len(self.left)


class Changer(ast.NodeTransformer):
    """Counts the places that can be changed, and changes the one with the number ``at``."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.places: list[tuple[int, str, str]] = []  # line, in which function, and what the change is
        self._inside: list[str] = []

    def _changed(self, node: ast.expr, other: ast.expr) -> ast.expr:
        change = f"{ast.unparse(node)}  ->  {ast.unparse(other)}"
        self.places.append((node.lineno, ".".join(self._inside), change))
        return ast.copy_location(other, node) if len(self.places) - 1 == self.at else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._within(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._within(node)

    def _within(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()
        return node

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


def _quoted(text: str) -> str:
    """A TOML string."""
    return f"'{text}'" if "'" not in text else json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True)
class Code:
    """The folder that holds the code, its tests, and the list of equivalent changes."""

    root: Path = ROOT

    def mutants(self, module: str) -> list[Mutant]:
        """All mutants of a module."""
        source = (self.root / module).read_text(encoding="utf-8")
        changer = Changer()
        changer.visit(ast.parse(source))
        lines = source.splitlines()
        seen: Counter[tuple[int, str]] = Counter()
        every = []
        for number, (line, where, change) in enumerate(changer.places):
            seen[line, change] += 1
            nth = f" ({seen[line, change]})" if seen[line, change] > 1 else ""
            every.append(Mutant(module, number, line, where, lines[line - 1].strip(), change + nth))
        return every

    def mutated(self, mutant: Mutant) -> ast.Module:
        """The code of the mutant's module."""
        tree = ast.parse((self.root / mutant.module).read_text(encoding="utf-8"))
        changed: ast.Module = ast.fix_missing_locations(Changer(mutant.number).visit(tree))
        return changed

    def tests_of(self, module: str) -> list[str]:
        """The test files of a module."""
        path = Path("tests") / module
        own = path.with_name(f"test_{path.name}")
        return [str(own)] * (self.root / own).exists() + MORE_TESTS.get(module, [])

    def equivalent(self) -> dict[Key, str]:
        """The changes that no test can notice, and why; each must be a change of today."""
        path = self.root / "benchmarks" / "equivalent_mutants.toml"
        listed = tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
        reasons: dict[Key, str] = {
            (e["module"], e["where"], e["line"], e["change"]): e["reason"] for e in listed
        }
        known = {mutant.key for module in {key[0] for key in reasons} for mutant in self.mutants(module)}
        unknown = [key for key in reasons if key not in known]
        if unknown or len(reasons) < len(listed) or not all(reasons.values()):
            raise SystemExit(f"{path.name}: unknown, listed twice or without a reason: {unknown}")
        return reasons

    def drawn(self, modules: Sequence[str], count: int, seed: int) -> Iterator[tuple[str, list[Mutant]]]:
        """``count`` mutants, evenly over the modules; all if ``count`` is 0."""
        for i, module in enumerate(modules):
            every = self.mutants(module)
            share = count // len(modules) + (i < count % len(modules)) if count else len(every)
            yield module, random.Random(f"{seed} {module}").sample(every, min(share, len(every)))

    def causes(self, trial: Trial, module: str, chosen: Sequence[Mutant], kept: Kept) -> dict[Mutant, str]:
        """Which test noticed each mutant; empty for those that survive."""
        causes = {mutant: cause for mutant in chosen if (cause := kept.causes.get(mutant.key))}
        open_ones = {mutant.number: mutant for mutant in chosen if mutant not in causes}
        if not open_ones:
            return causes
        tests = trial.baseline(self.tests_of(module))
        trees = {number: self.mutated(mutant) for number, mutant in open_ones.items()}
        swapped = trial.swapped(
            module, trees, tests, lambda number, cause: kept.add(open_ones[number], cause)
        )
        for number, mutant in open_ones.items():
            causes[mutant] = swapped.get(number, "")
            if not causes[mutant]:
                causes[mutant] = trial.fresh(module, trees[number], tests)
                kept.add(mutant, causes[mutant])
        return causes


class Kept:
    """What is known of mutants, in a file that grows line by line: a run that was interrupted goes on.

    What a test noticed is not tried again, what survived is; both count beside what is drawn. Delete the file
    when code or tests lose something.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.causes: dict[Key, str] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                module, where, text, change, cause = json.loads(line)
                self.causes[module, where, text, change] = cause

    def add(self, mutant: Mutant, cause: str) -> None:
        self.causes[mutant.key] = cause
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*mutant.key, cause]) + "\n")


def table(results: Sequence[Result]) -> str:
    """As docs/reliability.md has it."""
    heads = ("possible changes", "tried", "noticed", "of these by a crash or the time limit", "equivalent")
    lines = [f"| module | {' | '.join(heads)} | not noticed |", "|---|" + "---:|" * 6]
    for result in results:
        name = f"`{result.module.removeprefix('hmcbench/')}`"
        lines.append(f"| {name} | {' | '.join(map(str, result.row()))} |")
    total = [sum(numbers) for numbers in zip(*(result.row() for result in results), strict=True)]
    lines.append(f"| all | {' | '.join(map(str, total))} |")
    _, tried, noticed, _, equivalent, _ = total
    share = noticed / max(tried - equivalent, 1)
    return "\n".join([*lines, "", f"Noticed: {share:.1%} of the changes that are not equivalent."])


def load(path: Path) -> list[Result]:
    """The results that ``--json`` kept."""
    return [Result(**result) for result in json.loads(path.read_text(encoding="utf-8"))]


def keep(path: Path, result: Result) -> None:
    """Beside the results of other modules, in the order of :data:`CORE`."""
    others = [other for other in load(path) if other.module != result.module] if path.exists() else []
    order = {module: i for i, module in enumerate(CORE)}
    results = sorted([*others, result], key=lambda each: order.get(each.module, len(order)))
    path.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n", encoding="utf-8")


def result_of(code: Code, module: str, causes: Mapping[Mutant, str]) -> Result:
    """What came of the mutants that were tried, from which test noticed each."""
    reasons = code.equivalent()
    alive = [mutant for mutant in code.mutants(module) if causes.get(mutant) == ""]
    left = [mutant for mutant in alive if mutant.key not in reasons]
    for mutant in left:
        print(f"# {mutant.module}:{mutant.line}\n{mutant.entry()}", flush=True)
    return Result(
        module,
        possible=len(code.mutants(module)),
        tried=len(causes),
        noticed=len(causes) - len(alive),
        stopped=sum(cause == STOPPED for cause in causes.values()),
        equivalent=len(alive) - len(left),
        left=[{"where": m.where, "line": m.text, "change": m.change} for m in left],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", default=CORE)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kept", type=Path, help="outcomes, line by line; to go on with them")
    parser.add_argument("--root", type=Path, default=ROOT, help="of other code, with its tests")
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    code = Code(args.root.resolve())
    code.equivalent()  # stops here where the list is wrong
    if args.table:
        print(table(load(args.table)))
        return
    results, kept = [], Kept(args.kept)
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(code.root, Path(name).resolve())
        for module, drawn in code.drawn(args.modules, args.count, args.seed):
            chosen = [m for m in code.mutants(module) if m in drawn or m.key in kept.causes]
            result = result_of(code, module, code.causes(trial, module, chosen, kept))
            print(f"# {module}: tried, noticed, ...: {result.row()[1:]}", flush=True)
            results.append(result)
            if args.json:
                keep(args.json, result)
    print(table(results))


if __name__ == "__main__":
    main()
