"""What is counted about requests."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("eartheye_admin_requests_total", "Requests to the admin service.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("eartheye_admin_request_seconds", "Time to answer a request.", ["route"])
