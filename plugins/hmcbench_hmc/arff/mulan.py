"""Mulan's form: an XML file with the hierarchy of labels, which are columns of the ARFF file beside it."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from hmcbench.errors import DataProblems, Problem
from hmcbench.hierarchy.hierarchy import Edge, lint

LARGEST = 1 << 24  # bytes


def read_labels(path: Path) -> list[Edge]:
    """Parent and child of every ``<label name="...">``; labels inside a label are its children.

    Raises:
        DataProblems: no XML, no labels, a label without a name, a document type (which may be made to fill
            the memory), or labels that are no hierarchy.
    """
    edges: list[Edge] = []
    lines: list[int] = []
    above: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def stop(what: str, line: int = 0) -> None:
        place = f"{path.name}:{line or parser.CurrentLineNumber}"
        raise DataProblems(str(path), [Problem(place, what, "hierarchy", skippable=False)])

    def start(tag: str, attributes: dict[str, str]) -> None:
        word = tag.rpartition(" ")[2]
        if word == "labels" and not above:
            return
        name = attributes.get("name", "").strip()
        if word != "label" or not name:
            stop(f"<{word}> without a name; allowed: <labels>, <label name=...>")
        edges.append((above[-1] if above else "", name))
        lines.append(parser.CurrentLineNumber)
        above.append(name)

    def end(tag: str) -> None:
        if tag.rpartition(" ")[2] == "label":
            above.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = lambda *_: stop("a document type is not allowed")
    try:
        content = path.read_bytes()
        if len(content) > LARGEST:
            stop(f"more than {LARGEST >> 20} MiB", 1)
        parser.Parse(content, True)
    except expat.ExpatError as error:
        stop(f"is no XML ({expat.errors.messages[error.code]})", error.lineno)
    except (LookupError, ValueError) as error:  # an encoding that Python or expat does not know
        stop(f"is in no known encoding ({error})", 1)
    except OSError as error:
        stop(f"cannot be read ({error.strerror})", 1)
    if not edges:
        stop("it names no labels", 1)
    fatal = [p for p in lint(edges, [f"{path.name}:{line}" for line in lines]) if p.fatal]
    if fatal:
        raise DataProblems(str(path), fatal)
    return edges
