"""The files on disk: one folder per cell, and the suite's file beside them.

Read ``record`` first, then ``predictions``.
"""
