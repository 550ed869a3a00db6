"""The message bus: typed messages over Kafka, delivered at least once, with what cannot be read kept on a dead-letter topic.

A request and its answer: `with bus.replies(JOB_RESULTS, job, (JobResult,)) as replies: bus.publish(JOB_REQUESTS, job, request);
result = replies.next(timeout_s=600)`. A service: `bus.consume([JOB_REQUESTS], "planner", (JobRequest,), handle, stop=stop)`.
"""

from eartheye.bus.bus import Bus, open_bus
from eartheye.bus.connection import check_broker
from eartheye.bus.consumption import Delivery
from eartheye.bus.rejected import Rejected
from eartheye.bus.replies import Replies

__all__ = ["Bus", "Delivery", "Rejected", "Replies", "check_broker", "open_bus"]
