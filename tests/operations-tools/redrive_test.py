"""The requests of operations/redrive.py, held against the models of the services that it asks.

Usage: redrive_test.py
"""

import sys
from pathlib import Path

import boto3
from botocore.stub import Stubber

from checks import run

sys.path.insert(0, str(Path(__file__).parents[2] / "operations"))
from redrive import redrive  # noqa: E402

STACK = "agentruntime-prod"
ARN = "arn:aws:sqs:us-east-1:123456789012:agentruntime-prod-runs-dead"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/agentruntime-prod-runs-dead"
COUNT = "ApproximateNumberOfMessages"


def services(count):
    """Clients that expect to be asked for the stack and how many messages there are, and answer."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    cloudformation, sqs = (boto3.client(name, **keys) for name in ("cloudformation", "sqs"))
    stack, queue = Stubber(cloudformation), Stubber(sqs)
    outputs = [{"OutputKey": "DeadLetterQueueUrl", "OutputValue": URL}, {"OutputKey": "DeadLetterQueueArn", "OutputValue": ARN}]
    described = {"StackName": STACK, "CreationTime": "2026-11-28T00:00:00Z", "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}
    stack.add_response("describe_stacks", {"Stacks": [described]}, {"StackName": STACK})
    queue.add_response("get_queue_attributes", {"Attributes": {COUNT: str(count)}}, {"QueueUrl": URL, "AttributeNames": [COUNT]})
    stack.activate()
    queue.activate()
    return cloudformation, sqs, queue


def moving(queue, *tasks):
    """Expects that a move is begun, and looked at once for each of these states."""
    queue.add_response("start_message_move_task", {"TaskHandle": "t"}, {"SourceArn": ARN, "MaxNumberOfMessagesPerSecond": 10})
    for task in tasks:
        queue.add_response("list_message_move_tasks", {"Results": [task]}, {"SourceArn": ARN, "MaxResults": 1})


def an_empty_queue_is_left_alone():
    cloudformation, sqs, queue = services(0)
    said = []
    assert redrive(cloudformation, sqs, STACK, say=said.append)
    assert said == [f"0 messages in {URL}"], said
    queue.assert_no_pending_responses()


def messages_are_counted_only_when_that_is_asked_for():
    cloudformation, sqs, queue = services(7)
    said = []
    assert redrive(cloudformation, sqs, STACK, only_count=True, say=said.append)
    assert said == [f"7 messages in {URL}"], said
    queue.assert_no_pending_responses()


def a_move_is_followed_to_its_end():
    cloudformation, sqs, queue = services(7)
    task = {"SourceArn": ARN, "ApproximateNumberOfMessagesToMove": 7}
    moving(queue, task | {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 3}, task | {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 7})
    said, pauses = [], []
    assert redrive(cloudformation, sqs, STACK, pause=pauses.append, say=said.append)
    assert said[1:] == ["running: 3 of 7 moved", "completed: 7 of 7 moved"], said
    assert pauses == [5], pauses
    queue.assert_no_pending_responses()


def a_move_that_fails_says_why():
    cloudformation, sqs, queue = services(7)
    moving(queue, {"SourceArn": ARN, "Status": "FAILED", "ApproximateNumberOfMessagesMoved": 0, "FailureReason": "AccessDenied"})
    said = []
    assert not redrive(cloudformation, sqs, STACK, say=said.append)
    assert said[-1] == "AccessDenied", said


def main():
    works = [an_empty_queue_is_left_alone, messages_are_counted_only_when_that_is_asked_for, a_move_is_followed_to_its_end, a_move_that_fails_says_why]
    return run("redrive", works)


if __name__ == "__main__":
    sys.exit(main())
