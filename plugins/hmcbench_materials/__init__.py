"""Steels and alloys: tables, compositions and what follows from them, and their suites."""

from __future__ import annotations

from typing import Any

from hmcbench import DatasetSpec, FeaturizerSpec, ModelSpec, Param, ShiftSpec, SuiteSpec, hookimpl
from hmcbench_materials.mcvn.specs import mcvn_models

_XIONG = "Data compiled by J. Xiong, github.com/George-JieXIONG/Materials-Dataset"
_GPL = "GPL-3.0 as its repository states; truth is not published with results"
_FORMULA_VIEWS = ("table", "composition", "composition_wt", "composition_at")
_STEEL_VIEWS = (*_FORMULA_VIEWS, "composition_Fe_wt", "composition_Fe_at")


def _params(source: str = "auto", **more: Param) -> dict[str, Param]:
    return {
        "path": Param("", "the file, or a folder with it (docs/materials.md)", cosmetic=True),
        "source": Param(
            source,
            "auto: the real data where they are found, otherwise synthetic samples",
            choices=("auto", "real", "synthetic"),
        ),
        "seed": Param(0, "of the synthetic samples", low=0),
        "skip_bad": Param(False, "leave out rows with problems instead of refusing to start"),
        **more,
    }


def _dataset(name: str, short: str, summary: str, **more: Any) -> DatasetSpec:
    more.setdefault("params", _params())
    if short in ("nims", "glass", "phases", "hardness"):  # the others have no public file with a checksum
        more["fetch"] = f"hmcbench_materials.data.fetch:fetch_{short}"
    return DatasetSpec(
        name=name,
        version="1",
        summary=summary,
        factory=f"hmcbench_materials.data.datasets:{name.replace('-', '_')}",
        linter=f"hmcbench_materials.data.datasets:lint_{short}",
        path_param="path",
        table_reader=f"hmcbench_materials.data.unlabelled:{name.replace('-', '_')}",
        **more,
    )


def _split_by(unit: str, members: str) -> Param:
    return Param("sample", f"{unit}: {members} stay in one partition of a split", choices=("sample", unit))


_SYSTEM = _split_by("system", "alloys of the same elements")
_HEAT = _split_by("heat", "samples of the same composition")


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return [
        _dataset(
            "nims-steel",
            "nims",
            "360 steels: composition and treatment; fatigue, tensile, fracture strength and hardness",
            task="regression",
            views=_STEEL_VIEWS,
            params=_params(split_by=_HEAT),
            citation=f"Agrawal et al., Integr. Mater. Manuf. Innov. 3, 8 (2014); NIMS MatNavi. {_XIONG}",
            licence=_GPL,
        ),
        _dataset(
            "srim-steel",
            "srim",
            "81 steels: composition and processing; four mechanical properties (bring the file)",
            task="regression",
            views=_STEEL_VIEWS,
            params=_params("real", split_by=_HEAT),
            citation="Yu, Wu & Qian, MCVN manuscript (2022), section 4.2.2; the data are not public",
            licence="not public",
        ),
        _dataset(
            "metallic-glass",
            "glass",
            "6,469 alloys: amorphous (bulk or ribbon glass) or crystalline, from the formula",
            views=_FORMULA_VIEWS,
            params=_params(split_by=_SYSTEM),
            citation=f"Xiong, Shi & Zhang, Mater. Des. 187, 108378 (2020). {_XIONG}",
            licence=_GPL,
        ),
        _dataset(
            "hea-phases",
            "phases",
            "557 complex concentrated alloys: structure in three levels, or sets of phases",
            views=_FORMULA_VIEWS,
            params=_params(
                labels=Param(
                    "structure",
                    "structure: one path that may end anywhere; phases: the set of all phases",
                    choices=("structure", "phases"),
                ),
                split_by=_SYSTEM,
            ),
            citation=f"Xiong, Shi & Zhang, J. Mater. Sci. Technol. 87, 133 (2021). {_XIONG}",
            licence=_GPL,
        ),
        _dataset(
            "hea-hardness",
            "hardness",
            "290 complex concentrated alloys: Vickers hardness from the formula",
            task="regression",
            views=_FORMULA_VIEWS,
            params=_params(split_by=_SYSTEM),
            citation=f"Xiong, Shi & Zhang, J. Mater. Sci. Technol. 87, 133 (2021). {_XIONG}",
            licence=_GPL,
        ),
        _dataset(
            "steel-plates",
            "plates",
            "1,941 faults of steel plates: 27 measures, 4 families and 7 kinds",
            views=("table",),
            citation="Buscema, Terzi & Tastle, NAFIPS 2010; UCI, doi:10.24432/C5J88N",
            licence="CC BY 4.0",
        ),
    ]


_COMPOSITION = "composition{balance:none=;Fe=_Fe}{unit:native=;wt=_wt;at=_at}"
_COMPOSED = {
    "elements": Param("auto", "auto, assembled, xenonpy, or a CSV file of element properties"),
    "balance": Param("none", "Fe: iron fills steels up to 100 %", choices=("none", "Fe")),
    "unit": Param("native", "amounts as the dataset has them, or per cent", choices=("native", "wt", "at")),
}
_XENONPY = "XenonPy 0.6.7 (Wu et al., Mol. Inform. 39, 1900107 (2020)); Yu, Wu & Qian, MCVN, table 1"


@hookimpl
def hmcbench_featurizers() -> list[FeaturizerSpec]:
    return [
        FeaturizerSpec(
            name="descriptors",
            version="2",
            summary="Seven statistics of 58 element properties over a composition, as XenonPy computes them",
            factory="hmcbench_materials.composition.descriptors:Descriptors",
            params={
                **_COMPOSED,
                "backend": Param("array", "xenonpy: its own featurizers", choices=("array", "xenonpy")),
                "exact": Param(False, "the geometric mean with XenonPy's overflow"),
                "finite": Param(True, "0 where a statistic is no finite number"),
            },
            source=_COMPOSITION,
            digest="hmcbench_materials.composition.elements:digest",
            tabulate="hmcbench_materials.data.tabulate:tabulate_descriptors",
            extra="materials",
            citation=_XENONPY,
        ),
        FeaturizerSpec(
            name="composition_image",
            version="1",
            summary="Descriptors arranged as 24 x 21 pixels, not scaled",
            factory="hmcbench_materials.composition.image:CompositionImage",
            params=_COMPOSED,
            source="descriptors[elements={elements},balance={balance},unit={unit},finite=False]",
            extra="materials",
            citation="Yu, Wu & Qian, MCVN manuscript (2022), section 3.1",
        ),
    ]


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return mcvn_models()


@hookimpl
def hmcbench_shifts() -> list[ShiftSpec]:
    views = (*_STEEL_VIEWS[1:], "table")
    return [
        ShiftSpec(
            name="eds-drift",
            version="1",
            summary="composition: a smooth relative error over the elements that keeps the sum",
            factory="hmcbench_materials.composition.shifts:eds_drift",
            views=views,
            severities=(2.0, 5.0, 10.0, 20.0, 40.0),
            unit="% of an amount",
            high=99.0,
        ),
        ShiftSpec(
            name="new-element",
            version="1",
            summary="composition: a part of an element that no training sample has",
            factory="hmcbench_materials.composition.shifts:new_element",
            views=views,
            severities=(0.5, 1.0, 2.0, 5.0, 10.0),
            unit="% of the sum",
            high=100.0,
        ),
    ]


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    suites = {
        "nims-steel": "strength and hardness of steels, as the MCVN paper divides them",
        "srim-steel": "mechanical properties of 81 steels; needs a file of your own",
        "metallic-glass": "glass or crystal, split at random and by element system",
        "hea-phases": "structure of complex concentrated alloys, and their phases",
        "metallic-glass-trust": "glass or crystal: trust, shifts, unknown classes, less data",
        "hea-phases-trust": "phases of alloys: sets with a promise, shifts, less data",
        "hea-hardness": "hardness of complex concentrated alloys",
        "steel-plates": "faults of steel plates, two levels",
    }
    return [
        SuiteSpec(name=name, summary=summary, source=f"hmcbench_materials:suites/{name}.toml")
        for name, summary in suites.items()
    ]
