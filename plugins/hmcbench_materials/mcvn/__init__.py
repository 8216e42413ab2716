"""The Materials Composition Visualization Network: its parts, its training, and its specs."""
