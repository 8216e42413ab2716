"""SEM images of metal failure: hierarchy, readers, procedural fractographs, the suite ``sem-failure``."""

from __future__ import annotations

from hmcbench import DatasetSpec, FeaturizerSpec, ModelSpec, Param, ShiftSpec, SuiteSpec, hookimpl
from hmcbench_sem.shifts.specs import image_shifts

_PAPER = (
    "Han, R. et al. Machine learning of automatic hierarchical multi-label classification method for"
    " identifying metal failure mechanisms. Scientific Reports 15, 19904 (2025)."
    " doi:10.1038/s41598-025-05076-z (classes and counts; the images are synthetic)"
)
_PATH = Param("", "a folder of class folders, or one with index.csv (docs/data.md)", cosmetic=True)
_CROP = Param("0", "rows to cut off at the bottom of every image; auto cuts the instrument's data bar")
_MAX_PIXELS = Param(89_478_485, "a larger picture is refused as a decompression bomb", low=1, cosmetic=True)
_SKIP = Param(False, "leave out files with problems instead of refusing to start")


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(
            name="sem-failure",
            version="2",
            summary="SEM fractographs of metal failure, 2 x 3 classes: synthetic, or your own images",
            factory="hmcbench_sem.datasets:sem_failure",
            params={
                "path": _PATH,
                "version": Param(3, "of the synthetic images: docs/fractographs.md", choices=(2, 3)),
                "size": Param(64, "side of the synthetic images in pixels", low=32, high=2048),
                "seed": Param(0, "of the synthetic images", low=0),
                "composite": Param(0.0, "share of synthetic images with several failures", low=0.0, high=1.0),
                "shifted": Param(True, "make the shifted test set too"),
                "crop_bottom": _CROP,
                "skip_bad": _SKIP,
                "max_pixels": _MAX_PIXELS,
            },
            requires=("PIL",),
            citation=_PAPER,
            licence="Apache-2.0 (synthetic images)",
            views=("image",),
            linter="hmcbench_sem.lint:lint_failure",
            path_param="path",
            reader="hmcbench_sem.reader.unlabelled:read_images",
        ),
        DatasetSpec(
            name="sem-composite",
            version="1",
            summary="synthetic SEM fractographs, most with two or three failure mechanisms in one image",
            factory="hmcbench_sem.datasets:sem_composite",
            params={
                "size": Param(64, "side of the images in pixels", low=32, high=2048),
                "seed": Param(0, "of the images", low=0),
                "composite": Param(0.7, "share of images with several failures", low=0.0, high=1.0),
                "shifted": Param(True, "make the shifted test set too"),
            },
            requires=("PIL",),
            citation=_PAPER,
            licence="Apache-2.0 (synthetic images)",
            views=("image",),
        ),
        DatasetSpec(
            name="image-bags",
            version="1",
            summary="images of your own, those of one group as one sample",
            task="",
            factory="hmcbench_sem.bags:image_bags",
            params={"path": _PATH, "crop_bottom": _CROP, "skip_bad": _SKIP, "max_pixels": _MAX_PIXELS},
            requires=("PIL",),
            citation="your own",
            licence="your own",
            views=("images",),
            path_param="path",
        ),
        DatasetSpec(
            name="sem-series",
            version="1",
            summary="synthetic specimens, each seen in two to six SEM fractographs",
            factory="hmcbench_sem.bags:sem_series",
            params={
                "size": Param(64, "side of the images in pixels", low=32, high=2048),
                "seed": Param(0, "of the images", low=0),
                "train": Param(200, "training specimens", low=12, high=400),
                "test": Param(150, "test specimens", low=12, high=300),
            },
            requires=("PIL",),
            citation=_PAPER,
            licence="Apache-2.0 (synthetic images)",
            views=("images",),
        ),
        DatasetSpec(
            name="sem-eds",
            version="1",
            summary="synthetic SEM fractographs with simulated EDS; a test set in which samples lack a view",
            factory="hmcbench_sem.eds:sem_eds",
            params={
                "size": Param(64, "side of the images in pixels", low=32, high=2048),
                "seed": Param(0, "of the images and the EDS", low=0),
                "train": Param(600, "training samples", low=12, high=1771),
                "test": Param(400, "test samples, complete and again incomplete", low=12, high=1500),
                "missing": Param(0.3, "share of the incomplete ones that lack a view", low=0.0, high=1.0),
            },
            requires=("PIL",),
            citation=_PAPER,
            licence="Apache-2.0 (synthetic images, simulated EDS)",
            views=("image", "table"),
        ),
        DatasetSpec(
            name="fractograph-masks",
            version="1",
            summary="synthetic SEM fractographs with true masks: six failure mechanisms and background",
            factory="hmcbench_sem.label_maps:fractograph_masks",
            params={
                "version": Param(
                    3, "of the images: 2 has one texture per class and no background", choices=(2, 3)
                ),
                "size": Param(128, "side of the images in pixels", low=32, high=2048),
                "seed": Param(0, "of the images", low=0),
                "composite": Param(0.7, "share of images with several failures", low=0.0, high=1.0),
                "train": Param(240, "training images", low=12, high=20_000),
                "test": Param(100, "test images", low=12, high=5000),
            },
            requires=("PIL",),
            citation=_PAPER,
            licence="Apache-2.0 (synthetic images)",
            views=("image",),
            reader="hmcbench_sem.reader.unlabelled:read_images",
        ),
        DatasetSpec(
            name="images",
            version="1",
            summary="any folder of labelled images; classes, or targets of a regression, are read from it",
            task="",
            factory="hmcbench_sem.datasets:images",
            params={"path": _PATH, "crop_bottom": _CROP, "skip_bad": _SKIP, "max_pixels": _MAX_PIXELS},
            requires=("PIL",),
            citation="your own",
            licence="your own",
            views=("image",),
            linter="hmcbench_sem.lint:lint_images",
            path_param="path",
            files={"index.csv": (), ".csv": ("file",)},
            at_hand="hmcbench_sem.datasets:has_folder",
            reader="hmcbench_sem.reader.unlabelled:read_images",
        ),
    ]


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="procedural",
            version="3.1",  # of the pictures (hmcbench_sem.surfaces.generate.VERSION), and of the mixture
            summary="A model of images trained on real and on procedural fractographs (procedural:forest)",
            factory="hmcbench_sem.procedural.model:ProceduralModel",
            params={
                "model": Param("forest", "the model of images; its parameters may be given too", model=True),
                "share": Param(0.5, "share of procedural images among those trained on", low=0.0, high=0.95),
                "drawn": Param(400, "about so many different procedural images at least", low=1, high=20_000),
                "side": Param(256, "longest side of a procedural image in pixels", low=32, high=2048),
                "looks": Param(
                    "", "looks of classes, as brittle:cleavage+shear-facets;background:none; others by name"
                ),
            },
            variant="model",
            of_variant="hmcbench_sem.procedural.spec:spec_of",
            check_task="hmcbench_sem.procedural.classes:check",
            views=("image",),
            requires=("PIL", "scipy"),
            accelerated=True,
            citation=_PAPER,
        ),
    ]


@hookimpl
def hmcbench_featurizers() -> list[FeaturizerSpec]:
    return [
        FeaturizerSpec(
            name="pixels",
            version="1",
            summary="pictures brought to one square size, uint8",
            factory="hmcbench_sem.pixels:Pixels",
            params={
                "size": Param(64, "side of the square", low=1, high=4096),
                "channels": Param(1, "1 grey, 3 colour", choices=(1, 3)),
                "tiles": Param(1, "cut into so many squares per side", low=1, high=16),
            },
            requires=("PIL",),
            source="image",
        ),
        FeaturizerSpec(
            name="pixel_series",
            version="1",
            summary="the pictures of a bag brought to one square size, grey, behind each other, uint8",
            factory="hmcbench_sem.bags:PixelSeries",
            params={
                "size": Param(64, "side of the square", low=1, high=4096),
                "count": Param(6, "pictures of a bag; black where there are fewer", low=1, high=64),
            },
            requires=("PIL",),
            source="images",
        ),
    ]


@hookimpl
def hmcbench_shifts() -> list[ShiftSpec]:
    return image_shifts()


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    return [
        SuiteSpec(
            name="sem-failure",
            summary="metal failure mechanisms from SEM fractographs, two levels",
            source="hmcbench_sem:suites/sem-failure.toml",
        ),
        SuiteSpec(
            name="sem-failure-composite",
            summary="several failure mechanisms in one SEM fractograph, multi-label (synthetic)",
            source="hmcbench_sem:suites/sem-failure-composite.toml",
        ),
        SuiteSpec(
            name="sem-fusion",
            summary="SEM fractographs with simulated EDS: image, table, both, and samples that lack one",
            source="hmcbench_sem:suites/sem-fusion.toml",
        ),
        SuiteSpec(
            name="sem-series",
            summary="specimens that are each seen in several synthetic SEM fractographs",
            source="hmcbench_sem:suites/sem-series.toml",
        ),
        SuiteSpec(
            name="sem-failure-ablation",
            summary="the five variants of the HFF family under identical settings",
            source="hmcbench_sem:suites/sem-failure-ablation.toml",
        ),
        SuiteSpec(
            name="recipe-ablation",
            summary="the recipe of small networks, one change at a time",
            source="hmcbench_sem:suites/recipe-ablation.toml",
        ),
        SuiteSpec(
            name="sem-failure-trust",
            summary="sem-failure: trust, shifts, a mechanism never shown, less data (synthetic)",
            source="hmcbench_sem:suites/sem-failure-trust.toml",
        ),
        SuiteSpec(
            name="transfer-neu-det",
            summary="NEU-DET with few images, from scratch and from a network trained before",
            source="hmcbench_sem:suites/transfer-neu-det.toml",
        ),
        SuiteSpec(
            name="transfer-ti64",
            summary="Ti-6Al-4V fractures with few images, from scratch and from a network trained before",
            source="hmcbench_sem:suites/transfer-ti64.toml",
        ),
        SuiteSpec(
            name="transfer-ti64-series",
            summary="Ti-6Al-4V specimens of one series, from scratch and from a network of another series",
            source="hmcbench_sem:suites/transfer-ti64-series.toml",
        ),
        SuiteSpec(
            name="augment-ti64",
            summary="Ti-6Al-4V fractures: real patches alone, and procedural fractographs beside them",
            source="hmcbench_sem:suites/augment-ti64.toml",
        ),
        SuiteSpec(
            name="x-sdd-trust",
            summary="X-SDD: trust, shifts, a defect never shown, other pictures, less data",
            source="hmcbench_sem:suites/x-sdd-trust.toml",
        ),
        SuiteSpec(
            name="x-sdd-ablation",
            summary="the five variants of the HFF family trained alike on X-SDD, 5 folds",
            source="hmcbench_sem:suites/x-sdd-ablation.toml",
        ),
        SuiteSpec(
            name="x-sdd",
            summary="surface defects of hot-rolled steel strip (X-SDD), 5 folds",
            source="hmcbench_sem:suites/x-sdd.toml",
        ),
    ]
