"""Reads ARFF files of hierarchical multi-label data: text, header, rows, classes, and the dataset of them."""

from __future__ import annotations

SUFFIXES = (".arff", ".arff.gz")
