"""The admin service: an API under `/v1`, and pages in the same process."""
