"""Metrics of this service and of the platform's tables, for Prometheus."""
