"""Reads folders of images with label maps or polygons."""
