"""A board as text: Markdown, console, LaTeX, CSV and JSON, and the block inside a README."""
