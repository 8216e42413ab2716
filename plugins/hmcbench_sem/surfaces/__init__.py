"""Synthetic fractographs, version 3: height fields of failure mechanisms under one electron microscope."""
