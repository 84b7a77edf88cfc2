"""A page on which events are browsed while settings change: `hep-peaksum view`, and `view` in notebooks.

What is shown is computed in `state`, without Bokeh; the other modules draw it, and serve the page.
"""
