"""The report of a run: one HTML page with everything worth looking at."""
