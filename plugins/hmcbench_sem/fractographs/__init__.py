"""Synthetic fractographs of metal failure: surfaces, the microscope that looks at them, and their classes."""
