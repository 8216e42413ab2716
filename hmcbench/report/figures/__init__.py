"""Figures of a run, from its records alone (the pictures of mistakes need the data too).

Everything is drawn with matplotlib's objects, never through pyplot: no global state, no display,
and nothing of matplotlib is imported before something is drawn.
"""
