"""Decision rules: from stored scores to scores or class sets that respect the hierarchy, without training.

A rule on scores returns scores (N, C); decisions are then made from them as from the model's own, and
rankings read them. A rule on sets returns closed sets, boolean (N, C); rankings keep the model's scores.
A row of the result depends on the same row of the scores alone. The built-in rules take 1,278 samples x
4,125 classes of a DAG in a few seconds (``benchmarks/test_bench_rules.py``).
"""
