"""Deployment of a serving package: see README.md."""
