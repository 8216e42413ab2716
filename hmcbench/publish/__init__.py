"""Publish records and boards in a folder that can be committed.

Read ``publish`` first; ``anonymise`` and ``withheld_truth`` say what is left out.
"""
