"""Endings of the files that are tables; nothing heavy is imported here, as the spec names them."""

from __future__ import annotations

TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat")
EXCEL = (".xlsx", ".xlsm", ".xls", ".ods")
PARQUET = (".parquet", ".pq")
