"""Metrics: functions of an :class:`hmcbench.metrics.evaluation.Evaluation`.

One file per family; one documented object per id; :mod:`hmcbench.metrics.builtin` lists them. What kinds of
metrics there are stands in :mod:`hmcbench.metrics.base`. Nothing is imported here, so that listing metrics
needs no numpy.
"""
