"""Request and reply over topics, without a race."""

import pytest
from pydantic import BaseModel

from eartheye.contracts.messages import Assembly, JobResult
from eartheye.errors import NoReply
from tests.waiting import LIMIT_S


class NewerJobResult(BaseModel):
    kind: str = "job-result/2"
    job: str
    verdict: str


def done(job, seconds=0.0):
    return JobResult(job=job, state="done", seconds=seconds)


def test_a_reply_that_comes_before_it_is_waited_for_is_found(bus, topic):
    with bus.replies(topic, "job-1", (JobResult,)) as replies:
        bus.publish(topic, "job-0", done("job-0"))
        bus.publish(topic, "job-1", done("job-1", 1))
        bus.publish(topic, "job-1", done("job-1", 2))
        assert replies.next(timeout_s=LIMIT_S) == done("job-1", 1)
        assert replies.next(timeout_s=LIMIT_S) == done("job-1", 2)


def test_replies_of_earlier_times_are_not_heard(bus, topic):
    bus.publish(topic, "job-1", done("job-1", 1))
    with bus.replies(topic, "job-1", (JobResult,)) as replies:
        bus.publish(topic, "job-1", done("job-1", 2))
        assert replies.next(timeout_s=LIMIT_S) == done("job-1", 2)


def test_request_and_reply_meet_over_a_service(bus, topic, consuming):
    results = f"{topic}-results"

    def serve(message):
        bus.publish(results, message.job, done(message.job))

    with consuming(topic, serve), bus.replies(results, "job-21", (JobResult,)) as replies:
        bus.publish(topic, "job-21", Assembly(job="job-21", plan="p"))
        assert replies.next(timeout_s=LIMIT_S) == done("job-21")


def test_no_reply_in_time_says_what_to_look_at(bus, topic):
    with bus.replies(topic, "job-1", (JobResult,)) as replies, pytest.raises(NoReply, match=r"no answer to 'job-1'.*see that the service"):
        replies.next(timeout_s=0.5)


def test_a_reply_of_a_newer_release_says_to_upgrade(bus, topic):
    with bus.replies(topic, "job-1", (JobResult,)) as replies:
        bus.publish(topic, "job-1", NewerJobResult(job="job-1", verdict="fine"))
        with pytest.raises(NoReply, match=r"newer than job-result/1.*upgrade"):
            replies.next(timeout_s=LIMIT_S)
