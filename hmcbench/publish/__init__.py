"""Records and boards in; a folder that others can check out.

Read ``publish`` first; ``anonymise`` and ``withheld_truth`` say what stays behind.
"""
