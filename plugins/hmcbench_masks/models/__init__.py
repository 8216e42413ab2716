"""Models that label every pixel."""
