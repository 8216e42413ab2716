"""The classes: a directed acyclic graph, usually a tree.

Read ``hierarchy`` first; ``graph`` holds its algorithms on edges, ``edges`` finds what is wrong with a
list of edges before a hierarchy is made of it.
"""
