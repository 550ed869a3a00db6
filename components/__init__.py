"""The steps of the pipelines: one folder a step, each entered through its `run.py`."""
