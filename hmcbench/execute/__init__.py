"""Cells in; records out.

Read ``runner`` first, then follow one cell: ``queue`` (which cell is next), ``executors`` (its process),
``worker`` (the main function of the process), ``cell`` (load, split, featurize, fit), ``predict``, ``speed``,
``outcome`` (result or cause of failure).
"""
