"""Fixtures that all tests can ask for, and how Hypothesis tries examples."""

from hypothesis import settings

pytest_plugins = ["tests.servers.stack", "tests.servers.minio", "tests.servers.postgres", "tests.limits"]

settings.register_profile("untimed", deadline=None)  # a busy machine makes nothing wrong
settings.load_profile("untimed")
