"""The leaderboard: from records to tables; docs/leaderboard.md says how to read one.

Nothing here runs a model or reads a dataset; all values come from the records.
"""
