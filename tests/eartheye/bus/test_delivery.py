"""Delivery at least once, to workers of any speed."""

import subprocess
import sys
import threading
import time

from eartheye.contracts.messages import Assembly
from tests.waiting import LIMIT_S, wait_until


def ask(number):
    return Assembly(job=f"job-{number}", plan="p")


def test_messages_of_one_key_arrive_in_order_as_what_they_were(bus, topic, consuming):
    sent, seen = [ask(number) for number in range(20)], []
    for message in sent:
        bus.publish(topic, "one", message)
    with consuming(topic, seen.append):
        wait_until(lambda: len(seen) == 20)
    assert seen == sent


def test_what_was_handled_is_not_delivered_to_the_group_again(bus, topic, consuming):
    seen = []
    bus.publish(topic, "a", ask(1))
    with consuming(topic, seen.append):
        wait_until(lambda: seen)
    bus.publish(topic, "a", ask(2))
    with consuming(topic, seen.append):
        wait_until(lambda: len(seen) > 1)
    assert seen == [ask(1), ask(2)]


def test_each_group_sees_all_messages(bus, topic, consuming):
    first, second = [], []
    bus.publish(topic, "a", ask(1))
    with consuming(topic, first.append, group=f"{topic}-1"), consuming(topic, second.append, group=f"{topic}-2"):
        wait_until(lambda: first and second)
    assert first == second == [ask(1)]


def test_a_message_whose_worker_died_is_delivered_again(bus, settings, topic, consuming):
    program = f"""
import os, threading
from eartheye.bus import Bus, Delivery
from eartheye.contracts.messages import Assembly
from eartheye.settings import Settings
bus = Bus(Settings(kafka_bootstrap={settings.kafka_bootstrap!r}, kafka_api_version={settings.kafka_api_version}))
stop, quick = threading.Event(), Delivery(session_s=2)
bus.consume([{topic!r}], {topic!r}, (Assembly,), lambda message: os._exit(9), stop=stop, delivery=quick)
"""
    bus.publish(topic, "a", ask(7))
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    seen = []
    with consuming(topic, seen.append):
        wait_until(lambda: seen)
    assert seen == [ask(7)]


def test_work_slower_than_the_poll_interval_keeps_its_partition(bus, topic, consuming):
    seen = []

    def slow(message):
        if not seen:
            time.sleep(5)
        seen.append(message)

    bus.publish(topic, "a", ask(1))
    bus.publish(topic, "a", ask(2))
    with consuming(topic, slow, poll_interval_s=3.0):
        wait_until(lambda: len(seen) >= 2)
    assert seen == [ask(1), ask(2)]


def test_a_message_in_work_at_the_stop_is_finished_and_committed(bus, topic, consuming):
    begun, seen = threading.Event(), []

    def slow(message):
        begun.set()
        time.sleep(0.7)
        seen.append(message)

    bus.publish(topic, "a", ask(1))
    with consuming(topic, slow) as stop:
        begun.wait(LIMIT_S)
        stop.set()
    assert seen == [ask(1)]
    bus.publish(topic, "a", ask(2))
    with consuming(topic, slow):
        wait_until(lambda: len(seen) > 1)
    assert seen == [ask(1), ask(2)]


def test_a_message_that_does_not_finish_after_the_stop_is_left_and_delivered_again(bus, topic, consuming):
    begun, release, seen = threading.Event(), threading.Event(), []

    def stuck(_):
        begun.set()
        release.wait(LIMIT_S)

    bus.publish(topic, "a", ask(1))
    with consuming(topic, stuck, shutdown_s=0.3) as stop:
        begun.wait(LIMIT_S)
        stop.set()
    with consuming(topic, seen.append):
        wait_until(lambda: seen)
    release.set()
    assert seen == [ask(1)]


def test_two_members_of_a_group_share_the_work_without_loss(bus, topic, consuming):
    sent, first, second = [], [], []

    def send():
        sent.append(ask(len(sent)))
        bus.publish(topic, sent[-1].job, sent[-1])

    with consuming(topic, first.append), consuming(topic, second.append):
        wait_until(lambda: send() or (first and second))
        wait_until(lambda: all(message in first + second for message in sent))
    assert first
    assert second


def test_a_member_that_joins_later_takes_over_partitions_without_loss(bus, topic, consuming):
    sent, first, second = [], [], []

    def send():
        sent.append(ask(len(sent)))
        bus.publish(topic, sent[-1].job, sent[-1])

    with consuming(topic, first.append):
        wait_until(lambda: send() or first)
        with consuming(topic, second.append):
            wait_until(lambda: send() or second)
            wait_until(lambda: all(message in first + second for message in sent))
        send()
        wait_until(lambda: sent[-1] in first)
