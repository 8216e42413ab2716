"""Hierarchical segmentation: images with masks, models that label every pixel, their suites."""

from __future__ import annotations

from typing import Any

from hmcbench import DatasetSpec, ModelSpec, Param, SuiteSpec, hookimpl

_PATH = Param("", "a folder with images/, masks/ and classes.csv, or with polygons", cosmetic=True)
_TOLERANCE = Param(2.0, "pixels by which a border may be off (boundary_f1)", low=0.0)
_SKIP = Param(False, "leave out files with problems instead of refusing to start")
_OVERLAP = Param(
    "several",
    "where polygons overlap: a pixel has several classes, or that of the last one",
    choices=("several", "last"),
)


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(
            name="masks",
            version="1",
            summary="any folder of images with masks or polygons; the classes are read from it",
            factory="hmcbench_masks.datasets:masks",
            params={
                "path": _PATH,
                "tolerance": _TOLERANCE,
                "tolerance_um": Param(0.0, "the same in micrometres (images.csv: pixel_um)", low=0.0),
                "overlap": _OVERLAP,
                "skip_bad": _SKIP,
                "max_pixels": Param(
                    0, "a larger image is refused; 0: the reader's limit", low=0, cosmetic=True
                ),
            },
            requires=("PIL", "tifffile"),
            citation="your own",
            licence="your own",
            views=("image",),
            linter="hmcbench_masks.lint:lint",
            path_param="path",
            reader="hmcbench_masks.reader.unlabelled:read_images",
        ),
        DatasetSpec(
            name="ti64-masks",
            version="1",
            summary="19 SEM fracture surfaces of additively manufactured Ti-6Al-4V with masks",
            factory="hmcbench_masks.datasets:ti64",
            params={"path": _PATH, "tolerance": _TOLERANCE, "skip_bad": _SKIP},
            requires=("PIL", "tifffile"),
            citation="GitHub ms092000/Fractography, commit 57b59273",
            licence="none stated: not to be redistributed",
            views=("image",),
            linter="hmcbench_masks.lint:lint_ti64",
            path_param="path",
            reader="hmcbench_masks.reader.unlabelled:read_images",
        ),
    ]


_PIXELS: dict[str, Any] = {"views": ("image",), "unit": "pixel", "version": "1"}
_REDUCE = Param(2, "images are reduced by this factor before the model sees them", low=1, high=16)
_NETWORK = {
    "encoder": Param("resnet10t", "a network of timm with feature maps"),
    "width": Param(96, "channels of the decoder", low=8),
    "pretrained": Param(False, "start from published ImageNet weights"),
    "reduce": _REDUCE,
    "tile": Param(256, "side of the tiles of a large image, in reduced pixels", low=32),
    "overlap": Param(32, "of tiles", low=0),
    "epochs": Param(12, "passes over the training images", low=1, passes=True),
    "crops": Param(8, "crops per image and epoch", low=1),
    "crop": Param(128, "side of a crop, in reduced pixels", low=32),
    "batch_size": Param(8, "crops per step", low=2),
    "learning_rate": Param(2e-3, "the highest learning rate", low=0.0),
    "weight_decay": Param(0.02, "weight decay", low=0.0),
    "dice": Param(1.0, "weight of the Dice loss beside cross-entropy", low=0.0),
    "turns": Param(
        "any",
        "of crops; any: by any angle, and scaled by up to a quarter; right: by right angles, unscaled",
        choices=("any", "right"),
        added=True,
    ),
    "precision": Param(
        "float32",
        "of training; auto: bfloat16 where the device has units for it and the network gains by it",
        choices=("auto", "float32", "bfloat16"),
        added=True,
    ),
}
_FULL = {"reduce": 1, "crop": 256, "tile": 512, "overlap": 64, "epochs": 100, "crops": 16}
_NETWORKS = {
    "unet": ("U-Net", "Ronneberger et al. 2015"),
    "fpn": ("Feature pyramid network", "Kirillov et al. 2019"),
    "deeplabv3plus": ("DeepLabv3+", "Chen et al. 2018"),
}


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    networks = [
        ModelSpec(
            name=name,
            summary=f"{title} over an encoder of timm; a softmax per level, coherent decisions",
            factory=f"hmcbench_masks.models.network:{name}",
            params=_NETWORK,
            profiles={"standard": _FULL, "paper": _FULL},
            requires=("torch", "timm", "segmentation_models_pytorch"),
            extra="masks",
            citation=f"{citation}; segmentation-models-pytorch",
            accelerated=True,
            check=f"hmcbench_masks.models.sides:{'check_fpn' if name == 'fpn' else 'check'}",
            **_PIXELS,
        )
        for name, (title, citation) in _NETWORKS.items()
    ]
    return [
        ModelSpec(
            name="pixel-prior",
            summary="Class frequencies of the training pixels, for every pixel: what a model must beat",
            factory="hmcbench_masks.models.prior:PixelPrior",
            deterministic=True,
            **_PIXELS,
        ),
        ModelSpec(
            name="pixel-forest",
            summary="Filters of several widths and a forest of every pixel (trainable segmentation)",
            factory="hmcbench_masks.models.forest:PixelForest",
            params={
                "trees": Param(100, "number of trees", low=1),
                "leaf": Param(5, "least number of training pixels in a leaf", low=1),
                "samples": Param(2000, "training pixels per image", low=1),
                "reduce": _REDUCE,
                "widths": Param("1;2;4;8;16", "of the filters, in reduced pixels"),
            },
            requires=("sklearn",),
            citation="Arganda-Carreras et al. 2017 (trainable Weka segmentation)",
            check="hmcbench_masks.models.widths:check",
            **_PIXELS,
        ),
        ModelSpec(
            name="patch",
            summary="A model of whole images, slid over the picture (patch:forest, patch:timm:resnet10t)",
            factory="hmcbench_masks.models.patches:Patches",
            params={
                "model": Param("forest", "the model of whole images", model=True),
                "settings": Param("", "its parameters, none of them a file, as epochs=6;image_size=64"),
                "side": Param(96, "side of a patch in pixels", low=8),
                "stride": Param(48, "pixels between patches", low=1),
            },
            variant="model",
            paths=("single",),
            accelerated=True,
            check="hmcbench_masks.models.settings:check",
            **_PIXELS,
        ),
        *networks,
    ]


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    return [
        SuiteSpec(
            name="ti64-masks",
            summary="ductile and brittle fracture in 19 SEM micrographs, pixel by pixel, 5 folds",
            source="hmcbench_masks:suites/ti64-masks.toml",
        ),
        SuiteSpec(
            name="masks",
            summary="your own images with masks or polygons (--data masks=PATH)",
            source="hmcbench_masks:suites/masks.toml",
        ),
        SuiteSpec(
            name="fractograph-masks",
            summary="failure mechanisms in synthetic SEM fractographs, pixel by pixel",
            source="hmcbench_masks:suites/fractograph-masks.toml",
        ),
    ]
