"""What the datasets and suites of this plugin are; nothing heavy is imported here."""

from __future__ import annotations

from hmcbench import DatasetSpec, Param, SuiteSpec
from hmcbench_hmc.arff import SUFFIXES

_PATHS = Param(
    "auto",
    "label paths of a row; auto: multiple where any row has several",
    choices=("auto", "single", "multiple"),
)
_YEAST = ("cellcycle", "church", "derisi", "eisen", "gasch1", "gasch2", "pheno", "seq", "spo")
_SETS = (
    "synthetic-tree",
    "synthetic-dag",
    *(f"{name}_FUN" for name in _YEAST),
    *(f"{name}_GO" for name in _YEAST if name != "church"),
    "Diatoms",
    "ImCLEF07A",
)

DATASETS: list[DatasetSpec] = [
    DatasetSpec(
        name="arff",
        version="1",
        summary="a dataset of your own in ARFF files with a hierarchical class attribute (Clus, Mulan)",
        factory="hmcbench_hmc.arff.dataset:arff",
        params={
            "path": Param("", "an .arff file, or a folder with train, valid and test files", cosmetic=True),
            "name": Param("", "the set, where the folder has the files of several", cosmetic=True),
            "xml": Param("", "the hierarchy in Mulan's form; found beside the file", cosmetic=True),
            "paths": _PATHS,
            "unscored": Param("", "classes that no metric counts, joined by ;"),
            "confidence": Param(0.5, "the least confidence of a label that counts", low=0, high=1),
            "skip_bad": Param(False, "leave out rows with problems instead of refusing to start"),
        },
        linter="hmcbench_hmc.arff.dataset:lint_arff",
        path_param="path",
        files=dict.fromkeys(SUFFIXES, ()),
        views=("table",),
        table_reader="hmcbench_hmc.arff.unlabelled:read_unlabelled",
        citation="Clus, dtai.cs.kuleuven.be/clus; Tsoumakas et al., Mulan, JMLR 12, 2411 (2011)",
        licence="that of the files",
    ),
    DatasetSpec(
        name="hmc-classic",
        version="1",
        summary="the classic sets of the field: 9 FunCat trees, 8 Gene Ontology DAGs, ImCLEF07A, Diatoms",
        factory="hmcbench_hmc.classic.dataset:classic",
        params={
            "set": Param("synthetic-tree", "the set", choices=_SETS),
            "path": Param("", "a folder with the files (docs/hmc.md)", cosmetic=True),
            "roots": Param(False, "score the three roots of the Gene Ontology too"),
            "paths": _PATHS,
            "seed": Param(0, "of the synthetic sets", low=0),
        },
        variant="set",
        linter="hmcbench_hmc.classic.dataset:lint_classic",
        fetch="hmcbench_hmc.classic.fetch:fetch_sets",
        at_hand="hmcbench_hmc.classic.sets:at_hand",
        path_param="path",
        views=("table",),
        table_reader="hmcbench_hmc.arff.unlabelled:read_unlabelled",
        extra="hmc",
        citation="Vens et al., Mach. Learn. 73, 185 (2008); Giunchiglia & Lukasiewicz, NeurIPS 2020",
        licence="none stated for the data; the repository that publishes them is GPL-3.0",
    ),
]
SUITES: list[SuiteSpec] = [
    SuiteSpec(
        name="hmc-classic",
        summary="the classic sets of hierarchical multi-label classification; synthetic ones without them",
        source="hmcbench_hmc:suites/hmc-classic.toml",
    ),
    SuiteSpec(
        name="hmc-published",
        summary="C-HMCNN with the published width and epochs of each classic set; needs the data",
        source="hmcbench_hmc:suites/hmc-published.toml",
    ),
    SuiteSpec(
        name="hmc-trust",
        summary="a FunCat set: sets with a promise, shifts, a tenth of the data",
        source="hmcbench_hmc:suites/hmc-trust.toml",
    ),
]
