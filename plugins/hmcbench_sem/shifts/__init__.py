"""Shifts of images: what a worse day at the microscope, or the way to the file, does to a picture.

Lengths are in pixels of a picture that is 128 pixels wide at its shorter side; in larger pictures they are as
much larger. What is drawn for a picture does not depend on the severity.
"""
