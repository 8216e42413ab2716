"""Records from records: what can be made of stored predictions without fitting anything."""
