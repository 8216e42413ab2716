"""The model ``procedural``: another model of images, trained on real and on procedural fractographs."""
