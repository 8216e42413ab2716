"""A dataset in; partitions and views out.

Read ``loading`` (the dataset), ``protocol`` and ``splits`` (train, validation, test; ``stratify`` balances
them), ``featurize`` (one view from another) and ``views`` (selected rows of a view) in this order.
"""
