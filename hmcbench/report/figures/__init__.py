"""Figures of a run, from its records (pictures of mistakes also need the data).

Drawn with matplotlib's objects, never with pyplot: no global state, no display. matplotlib is imported
only when something is drawn.
"""
