"""Boards as pictures (``figures``) and as a page for a browser (``page``)."""
