"""Reads data folders of images: what they list, what the pictures are, and what is wrong with them."""
