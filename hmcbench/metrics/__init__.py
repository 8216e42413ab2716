"""Metrics: functions of an :class:`hmcbench.metrics.evaluation.Evaluation`.

One file per family; one documented object per id; :mod:`hmcbench.metrics.builtin` lists them. The kinds of
metrics stand in :mod:`hmcbench.metrics.base`. Nothing is imported here, so that listing metrics
needs no numpy.
"""
