"""Cells in; records out.

Read ``runner`` first, then follow one cell: ``queue`` (who runs it), ``executors`` (its process), ``worker``
(what runs there), ``cell`` (load, split, featurize, fit), ``predict``, ``outcome`` (how it may end).
"""
