"""For tests of hmcbench and of plugins: ``helpers`` (tiny data), ``checks`` (the conformance kit) and
``skeletons`` (new plugins).
"""
