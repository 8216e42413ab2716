"""A dataset in; partitions and views out.

Read ``loading`` (the dataset), ``protocol`` and ``splits`` (train, validation, test; ``stratify`` balances
them), ``featurize`` (one view from another) and ``views`` (rows of a view, read when asked) in this order.
"""
