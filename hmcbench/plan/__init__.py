"""A suite and the user's choices in; cells out.

Read ``suite`` (the TOML file), ``choices`` (what the command line changes), ``cells`` (every cell and its
key) and ``describe`` (the parts of a record on data, split and model) in this order.
"""
