"""Sends the messages of a stack's dead-letter queue to its workers again.

A message names a run and nothing else, and the sweep has long taken care of most: those runs are over, and the worker
drops the message. So this is always safe; it helps runs whose messages a fault (a bad release, a lost permission) sent
there in numbers.

Usage: just redrive <stack> [--per-second 10] [--only-count]
"""

import argparse
import sys
import time

import boto3

# Of ListMessageMoveTasks.
UNDER_WAY = ("RUNNING", "CANCELLING")


def dead_letter_queue(cloudformation, stack):
    """The URL and ARN of the stack's dead-letter queue."""
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
    return outputs["DeadLetterQueueUrl"], outputs["DeadLetterQueueArn"]


def waiting(sqs, url):
    """How many messages lie there, about."""
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def redrive(cloudformation, sqs, stack, per_second=10, only_count=False, pause=time.sleep, say=print):
    """Moves the messages back; whether all went well."""
    url, arn = dead_letter_queue(cloudformation, stack)
    count = waiting(sqs, url)
    say(f"{count} messages in {url}")
    if only_count or count == 0:
        return True
    # Without a destination they go to the queue that they came from.
    sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=per_second)
    while True:
        task = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"][0]
        moved, of = task["ApproximateNumberOfMessagesMoved"], task.get("ApproximateNumberOfMessagesToMove", count)
        say(f"{task['Status'].lower()}: {moved} of {of} moved")
        if task["Status"] not in UNDER_WAY:
            if reason := task.get("FailureReason"):
                say(reason)
            return task["Status"] == "COMPLETED"
        pause(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", help="such as agentruntime-prod")
    parser.add_argument("--per-second", type=int, default=10, help="so that what made them fail is not hit at once again")
    parser.add_argument("--only-count", action="store_true")
    arguments = parser.parse_args()
    well = redrive(boto3.client("cloudformation"), boto3.client("sqs"), arguments.stack, arguments.per_second, arguments.only_count)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
