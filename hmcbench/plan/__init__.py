"""A suite and the user's choices in; cells out.

Read ``suite`` (the TOML file), ``choices`` (what the command line changes), ``cells`` (every pairing and its
key) and ``describe`` (what a record says of data, split and model) in this order.
"""
