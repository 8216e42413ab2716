"""Image baselines: any architecture of timm as ``timm:NAME``, with heads for a hierarchy."""

from __future__ import annotations

from hmcbench import DatasetSpec, FeaturizerSpec, ModelSpec, Param, SuiteSpec, hookimpl
from hmcbench.torchkit.recipes import PARAMS, PROFILES

_TIMM = "Ross Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861"
_STEM = Param(
    "auto",
    "stride of the first convolution: keep, 1, or auto: 1 for inputs below 128 px",
    choices=("auto", "keep", "1"),
)

_OF_SINGLE_IMAGES = ("in_chans", "tiles", "mixup", "cutmix", "train")


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="timm",
            version="1",
            summary="a convolutional network or vision transformer of timm, with a head per level",
            tasks=("hmc", "regression"),
            factory="hmcbench_timm.network:create",
            params={
                "architecture": Param("resnet10t", "a name of timm.list_models()"),
                "head": Param(
                    "levels",
                    "levels: one linear layer per level; leaf: leaves only, upper levels are sums of leaves;"
                    " conditional: child given parent; max: maximum over descendants (C-HMCNN)",
                    choices=("levels", "leaf", "conditional", "max"),
                ),
                "stem_stride": _STEM,
                "dropout": Param(
                    0.0, "rate on the pooled features while training", low=0.0, high=0.95, added=True
                ),
                **PARAMS,
            },
            profiles=PROFILES,
            variant="architecture",
            check="hmcbench.torchkit.architectures:check",
            check_task="hmcbench.torchkit.architectures:check_novelty",
            views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]",),
            requires=("torch", "timm"),
            extra="vision",
            accelerated=True,
            expandable=True,
            citation=_TIMM,
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="fusion",
            version="1",
            summary="an image encoder of timm and a table encoder, joined late or by a gate",
            tasks=("hmc", "regression"),
            factory="hmcbench_timm.fusion:create",
            params={
                "architecture": Param("resnet10t", "a name of timm.list_models()"),
                "stem_stride": _STEM,
                "how": Param(
                    "late",
                    "late: the mean of the logits of two heads; gated: features weighed by a gate",
                    choices=("late", "gated"),
                ),
                "use": Param("both", "what is read", choices=("both", "image", "table")),
                "width": Param(64, "of the table's features, and of both at the gate", low=1),
                "modality_dropout": Param(
                    0.3, "share of the training samples of which one of the two is hidden", low=0.0, high=1.0
                ),
                **{name: param for name, param in PARAMS.items() if name not in ("mixup", "cutmix", "train")},
            },
            profiles=PROFILES,
            variant="architecture",
            check="hmcbench.torchkit.architectures:check",
            views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]", "table"),
            requires=("torch", "timm"),
            extra="vision",
            missing=True,
            nominal=True,
            accelerated=True,
            citation=f"Arevalo et al. 2017 (gate); Neverova et al. 2016 (modality dropout); {_TIMM}",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="bag",
            version="1",
            summary="several images as one sample: features of a timm network, pooled",
            tasks=("hmc", "regression"),
            factory="hmcbench_timm.bag:create",
            params={
                "architecture": Param("resnet10t", "a name of timm.list_models()"),
                "stem_stride": _STEM,
                "pooling": Param(
                    "mean",
                    "mean; attention: a weighted mean; lstm: over the images in their order",
                    choices=("mean", "attention", "lstm"),
                ),
                "width": Param(64, "hidden units of the attention", low=1),
                "images": Param(6, "of a sample; of more, evenly spaced ones", low=1, high=64),
                **{name: param for name, param in PARAMS.items() if name not in _OF_SINGLE_IMAGES},
            },
            profiles={
                name: {key: value for key, value in values.items() if key not in _OF_SINGLE_IMAGES}
                for name, values in PROFILES.items()
            },
            variant="architecture",
            check="hmcbench.torchkit.architectures:check",
            views=("pixel_series[size={image_size},count={images}]",),
            requires=("torch", "timm"),
            extra="vision",
            accelerated=True,
            citation=f"Ilse et al. 2018 (attention); Hochreiter & Schmidhuber 1997 (LSTM); {_TIMM}",
            licence="Apache-2.0",
        ),
    ]


@hookimpl
def hmcbench_featurizers() -> list[FeaturizerSpec]:
    return [
        FeaturizerSpec(
            name="embedding",
            version="1",
            summary="The pooled features of a frozen timm network, for a classical model behind it",
            factory="hmcbench_timm.embedding:Embedding",
            params={
                "backbone": Param("timm:resnet18", "timm:NAME, a name of timm.list_models()"),
                "weights": Param(
                    "published",
                    "published: ImageNet's, as timm names them; the PATH of a file (docs/use.md); random",
                ),
                "size": Param(224, "side of the square that images are brought to, in pixels", low=16),
                "channels": Param(3, "of the input: 1 (grey) or 3", choices=(1, 3)),
                "normalise": Param(
                    "weights",
                    "weights: by the mean and deviation of the published ones; image: each image by its own",
                    choices=("weights", "image"),
                ),
            },
            source="pixels[size={size},channels={channels}]",
            digest="hmcbench_timm.frozen:digest",
            requires=("torch", "timm"),
            extra="vision",
            citation=_TIMM,
        )
    ]


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(
            name="cifar100",
            version="1",
            summary="CIFAR-100 with its 20 superclasses and 100 classes, official sides",
            factory="hmcbench_timm.cifar100:cifar100",
            params={
                "path": Param("", "a .npz archive of the arrays, or a folder with one", cosmetic=True),
                "download": Param("", "a folder to fetch the whole set into (169 MB)", cosmetic=True),
            },
            requires=("numpy",),
            citation="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009)",
            licence="none stated",
            views=("image",),
            path_param="path",
            # this reader returns the view image; a plugin may name another, but not import it
            reader="hmcbench_sem.reader.unlabelled:read_images",
        )
    ]


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    return [
        SuiteSpec(
            name="cifar100-h",
            summary="CIFAR-100 on both of its levels, 20 and 100 classes",
            source="hmcbench_timm:cifar100-h.toml",
        )
    ]
