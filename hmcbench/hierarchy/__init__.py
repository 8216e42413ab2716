"""The classes: a directed acyclic graph, usually a tree.

Read ``hierarchy`` first. ``graph`` holds the matrices and array operations, ``edges`` reads and checks a list
of edges before a hierarchy is built.
"""
