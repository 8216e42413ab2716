"""Formulas, elements and their properties, and what follows from a composition: descriptors, an image."""
