"""Published tables (TOML files), run again and compared with the paper's numbers.

``tables`` reads them, ``compare`` plans their cells and compares the records, ``render`` writes the
result, ``figures`` draws the paper's figures. No module here knows any particular paper.
"""
