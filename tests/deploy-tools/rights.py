"""Holds functions to the rights of their roles, which the emulator stores and never looks at.

A gate stands between one function and the emulator. It reads from each request which right AWS would ask for,
and on what; what no statement of the role allows is answered as AWS would, and remembered.
"""

import http.client
import json
import threading
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from processes import REGION

ACCOUNT = "000000000000"
OF_TRANSACTION = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def table(name, index=None):
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return f"{arn}/index/{index}" if index else arn


def secret(name):
    """The ARN of a secret, to whose name AWS adds six characters."""
    return name if name.startswith("arn:") else f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"


def leading(part):
    """The partition that a request or a part of one is about."""
    row = part.get("Key") or part.get("Item")
    value = row["pk"] if row else part.get("ExpressionAttributeValues", {}).get(":pk", {})
    return value.get("S", "")


def of_batch(asked):
    """The partitions that a batch is about, in one table."""
    if isinstance(asked, dict):
        return {key["pk"]["S"] for key in asked["Keys"]}
    return {leading(part) for write in asked for part in write.values()}


def needed(target, body):
    """What a request needs: rights, each with its resource and, in a table, the partition."""
    service, _, operation = target.partition(".")
    if service == "DynamoDB_20120810" and operation in ("TransactWriteItems", "TransactGetItems"):
        parts = [part for item in body["TransactItems"] for part in item.items()]
        return {(OF_TRANSACTION.get(kind, "dynamodb:GetItem"), table(part["TableName"]), leading(part)) for kind, part in parts}
    if service == "DynamoDB_20120810" and operation in ("BatchGetItem", "BatchWriteItem"):
        return {(f"dynamodb:{operation}", table(name), each) for name, asked in body["RequestItems"].items() for each in of_batch(asked)}
    if service == "DynamoDB_20120810":
        return {(f"dynamodb:{operation}", table(body["TableName"], body.get("IndexName")), leading(body))}
    if service == "AmazonSQS":
        queue = body["QueueUrl"].rsplit("/", 1)[1]
        return {(f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", "")}
    if service == "secretsmanager":
        return {(f"secretsmanager:{operation}", secret(body.get("SecretId") or body["Name"]), "")}
    return {(target or "a request without a target", "*", "")}


def many(value):
    return value if isinstance(value, list) else [value]


def holds(condition, partition):
    """Whether a statement's condition holds; the only kinds that the template has are on partitions."""

    def matches(operator):
        patterns = condition[operator]["dynamodb:LeadingKeys"]
        return any(fnmatchcase(partition, each) for each in many(patterns))

    like, not_like = "ForAllValues:StringLike", "ForAllValues:StringNotLike"
    assert condition.keys() <= {like, not_like}, f"a condition that is not known here: {condition}"
    return (like not in condition or matches(like)) and (not_like not in condition or not matches(not_like))


def named(right, resource):
    """A resource of a statement as an ARN; the emulator's `Ref` of a secret is its name."""
    return secret(resource) if right.startswith("secretsmanager:") and resource != "*" else resource


def allowed(statements, right, resource, partition):
    return any(
        any(fnmatchcase(right, each) for each in many(statement["Action"]))
        and any(fnmatchcase(named(right, resource), named(right, each)) for each in many(statement["Resource"]))
        for statement in statements
        if statement["Effect"] == "Allow" and holds(statement.get("Condition", {}), partition)
    )


class Gate:
    """One function's gate, on a loopback port of its own."""

    def __init__(self, endpoint, statements):
        self.refused, self.used = set(), set()
        gate, upstream = self, urlsplit(endpoint)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = needed(self.headers.get("X-Amz-Target", ""), json.loads(body or b"{}"))
                refused = {each for each in asked if not allowed(statements, *each)}
                gate.used |= asked - refused
                gate.refused |= refused
                if refused:
                    denial = {"__type": "AccessDeniedException", "message": f"no role allows {sorted(refused)}"}
                    return self.answer(400, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(denial).encode())
                onward = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=60)
                try:
                    onward.request("POST", self.path, body, dict(self.headers))
                    found = onward.getresponse()
                    self.answer(found.status, found.getheaders(), found.read())
                except ConnectionError:
                    # The emulator ends before the functions that it runs.
                    self.close_connection = True
                finally:
                    onward.close()

            def answer(self, status, headers, body):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
