"""Records from records: what can be made of stored predictions without training anything."""
