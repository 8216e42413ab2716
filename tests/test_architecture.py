"""ARCHITECTURE.md is true: its table of folders, its layers and its public modules are those of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PLUGINS = sorted(p.name for p in (ROOT / "plugins").glob("hmcbench_*"))
LIGHT = ("errors", "interfaces", "registry", "plan/suite", "cli")
NUMERICAL = {"numpy", "scipy", "sklearn", "skimage", "PIL", "torch", "torchvision", "timm", "rich", "pandas"}
DEEP = {"torch", "torchvision", "timm"}


def block(marker: str) -> list[list[str]]:
    """The lines of a marked block of ARCHITECTURE.md, split at their commas."""
    (text,) = re.findall(rf"<!-- {marker} -->\n```\n(.*?)```", TEXT, re.DOTALL)
    return [line.split(", ") for line in text.strip().splitlines()]


LAYERS = {name: depth for depth, names in enumerate(block("layers")) for name in names}
PUBLIC = set(block("public")[0])


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def statements(path: Path, *, top_level: bool = False) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file; type-checking blocks do not count, functions do or do not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if top_level and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield child
            yield from walk(child)

    return walk(tree)


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Full names of what a file imports, those of modules and of what is in them."""
    for statement in statements(path, top_level=top_level):
        if isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{path}: relative import"
            yield statement.module or ""
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        else:
            yield from (alias.name for alias in statement.names)


def room_of(name: str) -> str | None:
    """``hmcbench.metrics.sets`` -> ``metrics``: a file or folder at the top; None for what is elsewhere."""
    parts = name.split(".")
    return parts[1] if parts[0] == "hmcbench" and len(parts) > 1 else None


CORE = files(ROOT / "hmcbench")


def room(path: Path) -> str:
    """The file or folder at the top of the core that a file belongs to."""
    return path.relative_to(ROOT / "hmcbench").parts[0].removesuffix(".py")


def test_every_file_and_folder_has_its_place_in_the_layers() -> None:
    assert set(LAYERS) == {room(path) for path in CORE} - {"__init__"}


def test_the_top_shows_the_flow() -> None:
    top = [path for path in (ROOT / "hmcbench").iterdir() if path.name not in ("__pycache__", "py.typed")]
    assert len([path for path in top if path.is_file()]) <= 8
    folders = {path.name for path in top if path.is_dir()}
    assert len(folders) <= 19
    described = set(re.findall(r"`(\w+)/`", TEXT.partition("## Reading order")[0]))
    assert folders == described, "the table of folders in ARCHITECTURE.md"
    assert max(len(path.relative_to(ROOT / "hmcbench").parts) for path in CORE) <= 3


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_what_comes_later(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    used = {name for module in imports(path) if (name := room_of(module)) in LAYERS and name != here}
    late = sorted(name for name in used if LAYERS[name] >= LAYERS[here])
    assert not late, f"{here} imports {late}, which do not stand above it in ARCHITECTURE.md"


def module_graph() -> dict[str, set[str]]:
    """Module -> the modules it needs, in the core and the plugins; a package is its ``__init__``."""
    packages = [ROOT / "hmcbench", *(ROOT / "plugins" / name for name in PLUGINS)]
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in files(package)
    }

    def needed(path: Path) -> Iterator[str]:
        for statement in statements(path):
            for alias in statement.names:
                if isinstance(statement, ast.Import):
                    yield alias.name
                else:  # a module of a package, or something in a module
                    inner = f"{statement.module}.{alias.name}"
                    yield inner if inner in paths else statement.module or ""

    return {module: paths.keys() & set(needed(path)) for module, path in paths.items()}


def test_no_two_modules_need_each_other() -> None:
    try:
        TopologicalSorter(module_graph()).prepare()
    except CycleError as error:
        pytest.fail("modules import each other in a circle: " + " <- ".join(error.args[1]))


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    here = path.relative_to(ROOT / "hmcbench").with_suffix("").as_posix()
    roots = {name.partition(".")[0] for name in imports(path, top_level=True)}
    if here.startswith(LIGHT):
        assert not roots & NUMERICAL
    if room(path) != "torchkit":
        assert not roots & DEEP


def test_only_the_command_line_prints() -> None:
    for path in CORE:
        if room(path) == "cli" or path.name == "worker.py":  # a worker prints to its own log
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path


def is_public(name: str) -> bool:
    """Whether a module, or a name in it, belongs to one that the page lists."""
    return any(f"{name}.".startswith(f"hmcbench.{public}.") for public in PUBLIC)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_use_public_modules_and_no_sibling(plugin: str) -> None:
    for path in files(ROOT / "plugins" / plugin):
        for name in imports(path):
            root = name.partition(".")[0]
            assert root not in PLUGINS or root == plugin, f"{path.name} imports its sibling {root}"
            if room_of(name) in LAYERS:
                assert is_public(name), f"{plugin}/{path.name} imports {name}"
        if path.name == "__init__.py":
            assert not {n.partition(".")[0] for n in imports(path, top_level=True)} & NUMERICAL


def test_the_table_of_plugins_is_complete() -> None:
    for plugin in PLUGINS:
        assert f"`{plugin}`" in TEXT


def test_no_file_is_too_long_to_read() -> None:
    own = [p for name in ("hmcbench", "plugins", "tests", "benchmarks", "docs") for p in files(ROOT / name)]
    long = {str(p.relative_to(ROOT)): n for p in own if (n := len(p.read_text("utf-8").splitlines())) > 600}
    assert not long


def class_names(path: Path) -> Iterator[str]:
    """The classes of a file, and the names that it gives to types (``Rows = list[str]``)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    yield from (t.id for t in targets if isinstance(t, ast.Name) and t.id[0].isupper() and not t.id.isupper())


def test_a_class_name_stands_for_one_thing() -> None:
    own = [path for name in ("hmcbench", "plugins") for path in files(ROOT / name)]
    places: dict[str, list[str]] = {}
    for path in own:
        for name in class_names(path):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
