"""The leaderboard: records in, tables out. See docs/leaderboard.md for how to read one.

Nothing here runs a model or reads a data set; whatever a table says is in the records.
"""
