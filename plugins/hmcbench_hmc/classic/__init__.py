"""The classic datasets of the field: where they lie, and synthetic ones of their kind."""
