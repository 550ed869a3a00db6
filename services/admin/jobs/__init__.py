"""Mapping jobs: submitted, watched, cancelled, looked at."""
