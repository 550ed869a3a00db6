"""Export of a task model for serving: see README.md."""
