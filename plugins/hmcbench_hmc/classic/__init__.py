"""The classic data sets of the field: where they lie, and synthetic ones of their kind."""
