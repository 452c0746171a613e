"""Charts as SVG that the server writes: positions in attributes, colours by class, never by inline style.

They stretch to the width that they are given, so nothing in them is text: labels stand beside them, in HTML. Each has
a role, a title and a label of its own; the pages put the same figures into a table below.
"""
