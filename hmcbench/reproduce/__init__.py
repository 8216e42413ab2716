"""Published tables, run again: TOML in, our numbers beside the paper's out.

``tables`` reads them, ``compare`` runs them as cells of a suite and judges, ``render`` writes the
result, ``figures`` draws what the paper drew. Nothing here knows any particular paper.
"""
