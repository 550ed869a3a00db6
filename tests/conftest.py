"""Fixtures that all tests can ask for."""

pytest_plugins = ["tests.servers.stack", "tests.servers.minio", "tests.servers.postgres", "tests.limits"]
