"""Training and prediction for models written in PyTorch.

A plugin writes a function that builds an ``nn.Module`` for a task and passes it to
:class:`~hmcbench.torchkit.model.TorchModel`; it needs no training loop::

    # mine/__init__.py: no torch here
    from hmcbench import ModelSpec, hookimpl
    from hmcbench.torchkit.recipes import PARAMS, PROFILES

    @hookimpl
    def hmcbench_models():
        return [ModelSpec(name="mine", version="1", summary="...", factory="mine.net:create",
                          params={**PARAMS, "width": Param(64)}, profiles=PROFILES,
                          views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]",),
                          requires=("torch",), extra="vision", accelerated=True)]

    # mine/net.py
    from hmcbench.torchkit.model import TorchModel
    from hmcbench.torchkit.recipes import Recipe

    def build(task, *, image_size, in_chans, width): ...   # -> nn.Module

    def create(*, image_size, in_chans, pretrained, width, **recipe):
        make = partial(build, image_size=image_size, in_chans=in_chans, width=width)
        return TorchModel(make, Recipe(**recipe), facts={"pretrained": pretrained})

The module's ``forward`` takes float (B, in_chans, H, W), normalised, possibly channels-last in
memory (use ``flatten`` and ``reshape``, not ``view``), and returns either

* a list of L tensors of logits, level k of shape (B, ``level_sizes(task)[k - 1]``): a softmax per
  level for single-path tasks (the last column is ``stop`` where paths may end early), a sigmoid
  per class otherwise; or
* one tensor (B, C) of logits in the order of ``hierarchy.classes``: a sigmoid per class.

:mod:`~hmcbench.torchkit.heads` and :mod:`~hmcbench.torchkit.layout` help with the outputs,
:mod:`~hmcbench.torchkit.pretrained` with networks of timm. Nothing is imported here: plugins read the
recipes where torch must not be imported.

Random numbers (of dropout, for example) must come from torch, which is seeded at every epoch.
"""
