"""Signs deliveries of webhooks, which no description of an API can say how to do."""

import hmac
import os

import requests
import schemathesis

SECRET = os.environ.get("SIGNING_SECRET", "")
HEADERS = ("x-agentruntime-signature", "x-agentruntime-timestamp", "webhook-id", "webhook-timestamp", "webhook-signature")


class Signed(requests.auth.AuthBase):
    """Signs what is about to be sent, unless the case has headers of a signature of its own."""

    def __call__(self, request):
        if not any(name in request.headers for name in HEADERS):
            body = request.body or b""
            body = body if isinstance(body, bytes) else body.encode()
            signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
            request.headers["X-Agentruntime-Signature"] = f"sha256={signature}"
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    if SECRET and case.operation.path == "/v1/inbound-webhooks/{id}" and case.operation.method.upper() == "POST":
        kwargs["auth"] = Signed()
