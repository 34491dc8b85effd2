"""Deploys template.yaml onto an AWS emulator on this machine, and uses what came of it.

The functions' programs become the bootstraps and `sam deploy` makes the stack, as on AWS. Then the API is walked
through the gateway from the first workspace to a finished run, every route once, and each event of events/ is handed
to its function by `cargo lambda invoke`; each function is held to the rights of its role. Prints a line per check,
and what the processes logged when one fails.

Usage, from the root of the repository: deploy_test.py <path of the ministack program> [<directory of the functions' programs>]
Without a directory `sam build` makes the bootstraps, which takes as many builds as there are functions.
"""

import hmac
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import boto3
from standardwebhooks.webhooks import Webhook

from mcp_stand_in import mcp_server
from processes import REGION, aws_environment, emulator, runtime, wait_for
from rights import Gate, allowed, many

sys.path.insert(0, str(Path(__file__).parents[1] / "operations-tools"))
from drills import keys_are_rotated, table_is_restored  # noqa: E402

STACK = "agentruntime-emulator"
BUILD = Path(".aws-sam/emulator")
FUNCTIONS = {
    "onboarding": "Onboarding",
    "workflows": "Workflows",
    "runs": "Runs",
    "tasks": "Tasks",
    "pats": "Pats",
    "llm": "Llm",
    "platform_mcp": "PlatformMcp",
    "analytics": "Analytics",
    "billing": "Billing",
    "connections": "Connections",
    "inbound_webhooks": "InboundWebhooks",
    "webhook_ingress": "WebhookIngress",
    "mcp_servers": "McpServers",
    "run_step_worker": "RunStepWorker",
    "sweep": "Sweep",
}
# Rights of roles that this walk has no use for.
RARE = {
    # The answer that is kept under an idempotency key, when it is over 300 KB.
    "onboarding": {"dynamodb:Query"},
    # A secret that was put before a crash is put again.
    "connections": {"secretsmanager:PutSecretValue"},
    "inbound_webhooks": {"secretsmanager:PutSecretValue"},
    "llm": {"secretsmanager:PutSecretValue"},
    # The counters, when an answer ends its run.
    "tasks": {"dynamodb:UpdateItem"},
    # Tasks whose time is over. Lambda's poller receives and deletes for the worker.
    "run_step_worker": {"dynamodb:DeleteItem", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    # Secrets that a crash has left.
    "sweep": {"dynamodb:DeleteItem", "secretsmanager:DeleteSecret"},
}
METHODS = {"get", "put", "post", "patch", "delete"}
INPUT = {"customer_email": "alex@example.com", "order_id": "12345"}


class Deployment:
    """The deployed stack, as its users and its operator see it."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        self.client = lambda service: boto3.client(service, endpoint_url=endpoint, **keys)
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        # Where the emulator has the gateway.
        self.base = f"/_aws/execute-api/{self.outputs['HttpApiId']}"
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["OperatorSecretName"])
        self.operator_token = secret["SecretString"]
        self.succeeded = set()
        self.gates = {function: self.gate(function) for function in FUNCTIONS}

    def statements(self, function):
        """What the role of a function allows."""
        settings = self.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")
        role = settings["Role"].rsplit("/", 1)[1]
        return self.client("iam").get_role_policy(RoleName=role, PolicyName=function)["PolicyDocument"]["Statement"]

    def gate(self, function):
        """Puts a gate in front of the emulator, for this function."""
        client, name = self.client("lambda"), f"{STACK}-{function}"
        settings = client.get_function_configuration(FunctionName=name)
        gate = Gate(self.endpoint, self.statements(function))
        # By service, because the emulator gives each function its own AWS_ENDPOINT_URL.
        through = {f"AWS_ENDPOINT_URL_{service}": gate.url for service in ("DYNAMODB", "SECRETS_MANAGER", "SQS")}
        variables = settings["Environment"]["Variables"] | through
        if function == "platform_mcp":
            address = f"https://{self.outputs['HttpApiId']}.execute-api.{REGION}.amazonaws.com"
            assert variables["PLATFORM_MCP_API_URL"] == address, variables
            variables["PLATFORM_MCP_API_URL"] = f"{self.endpoint}{self.base}"
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        return gate

    def call(self, method, path, token=None, body=None, headers=None):
        """One request through the gateway, with a body of JSON or of these bytes: status and body, JSON where it is."""
        url = f"{self.endpoint}{self.base}{path}"
        request = urllib.request.Request(url, method=method, headers={"Content-Type": "application/json"} | (headers or {}))
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.succeeded.add(f"{method} {path.partition('?')[0]}")
                return answer.status, read(answer)
        except urllib.error.HTTPError as answer:
            found = read(answer)
            # What was shown once is gone, and what costs money is not sold here: their routes can answer nothing else.
            if answer.code == 410 or "BILLING_PROVIDER_NOT_CONFIGURED" in str(found):
                self.succeeded.add(f"{method} {path.partition('?')[0]}")
            return answer.code, found

    def routes(self):
        """Every `METHOD /path` of the gateway; a route for every method is there for its POST."""
        pages = self.client("apigatewayv2").get_paginator("get_routes").paginate(ApiId=self.outputs["HttpApiId"])
        return {route["RouteKey"].replace("ANY ", "POST ") for page in pages for route in page["Items"]}

    def environment_of(self, function):
        """The environment that the template gives a function, and its gate."""
        settings = self.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")
        return settings["Environment"]["Variables"]

    def set_worker(self, **settings):
        """Changes the event source of run_step_worker."""
        client = self.client("lambda")
        for source in client.list_event_source_mappings(FunctionName=f"{STACK}-run_step_worker")["EventSourceMappings"]:
            client.update_event_source_mapping(UUID=source["UUID"], **settings)


def read(answer):
    text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def expect(answer, status):
    """The body of an answer with this status."""
    assert answer[0] == status, f"answered {answer[0]}, not {status}: {answer[1]}"
    return answer[1]


def build_and_deploy(environment, programs):
    config = Path("samconfig.toml").read_text()
    overrides = re.search(r'\[emulator\.deploy\.parameters\].*?parameter_overrides = "(.*?)"', config, re.DOTALL).group(1)
    if platform.machine() == "aarch64":
        overrides = overrides.replace("x86_64", "arm64")
    profile = ["--config-env", "emulator", "--parameter-overrides", overrides]
    if programs:
        lay_out(programs)
    else:
        # The host's compiler and the development profile: quick, and nothing that leaves this machine. Every binary is
        # kept three times (target, target/lambda, .aws-sam), so without symbols.
        quick = {"CARGO_LAMBDA_COMPILER": "cargo", "SAM_BUILD_MODE": "debug", "CARGO_PROFILE_DEV_STRIP": "symbols", "CARGO_INCREMENTAL": "0"}
        timed(["sam", "build", *profile], environment | quick)
    timed(["sam", "deploy", *profile], environment)
    for logical_id in FUNCTIONS.values():
        assert Path(BUILD, logical_id, "bootstrap").is_file(), f"no bootstrap for {logical_id}"


def lay_out(programs):
    """What `sam build` leaves, of programs that are built already."""
    shutil.rmtree(BUILD, ignore_errors=True)
    template = Path("template.yaml").read_text()
    for function, logical_id in FUNCTIONS.items():
        built = f"    Metadata: {{ BuildMethod: rust-cargolambda, BuildProperties: {{ Binary: {function} }} }}\n"
        source = f"      CodeUri: functions/{function}\n"
        assert template.count(built) == template.count(source) == 1, f"{function}: how it is built is not said as expected"
        template = template.replace(built, "").replace(source, f"      CodeUri: {logical_id}\n")
        bootstrap = BUILD / logical_id / "bootstrap"
        bootstrap.parent.mkdir(parents=True)
        # Without symbols: each is uploaded and unpacked.
        subprocess.run(["strip", "-o", bootstrap, Path(programs, function)], check=True)
    (BUILD / "template.yaml").write_text(template)


def timed(command, environment):
    began = time.monotonic()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        free = shutil.disk_usage(".").free // 1024**2
        raise RuntimeError(f"{' '.join(command[:2])} ended with {done.returncode}, {free} MiB of disk free:\n{done.stdout[-6000:]}")
    print(f"{' '.join(command[:2])}: {time.monotonic() - began:.0f} s", flush=True)


def open_to_all(stack):
    """Health and the OpenAPI document answer without a token."""
    assert expect(stack.call("GET", "/v1/health"), 200)["status"] == "ok"
    assert expect(stack.call("GET", "/openapi.json"), 200)["openapi"].startswith("3.1")


def routes_are_the_documents(stack):
    """The gateway has exactly the routes of the OpenAPI document."""
    document = expect(stack.call("GET", "/openapi.json"), 200)
    documented = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in METHODS & set(item)}
    shape = lambda keys: {re.sub(r"\{.*?\}", "{}", key) for key in keys}
    assert shape(stack.routes()) == shape(documented), f"in one only: {sorted(shape(stack.routes()) ^ shape(documented))}"


def closed_without_token(stack):
    """Every other route of the gateway refuses a caller without a token."""
    # Senders of webhooks prove themselves to a webhook, and here is none.
    ingress = "POST /v1/inbound-webhooks/{id}"
    expect(stack.call("POST", ingress.split(" ")[1].replace("{id}", "0199c1f0-5a00-7000-8000-00000000000a"), body={}), 404)
    # Nor does the payment provider have a token: it signs, where one is configured.
    events = "POST /v1/billing/stripe-webhook"
    for key in sorted(stack.routes() - {"GET /v1/health", "GET /openapi.json", ingress, events}):
        method, path = key.split(" ")
        path = re.sub(r"\{n\}", "1", path)
        path = re.sub(r"\{.*?\}", "0199c1f0-5a00-7000-8000-00000000000a", path)
        answer = stack.call(method, path, body={} if method in ("POST", "PATCH", "PUT") else None)
        assert answer[0] == 401, f"{key} answered {answer[0]}: {answer[1]}"


def main_job(stack):
    """A workspace, a workflow, a version, a run that completes, and what happened in it."""
    workspace = {"name": "Walk", "slug": "walk"}
    token = expect(stack.call("POST", "/v1/onboarding/workspaces", stack.operator_token, workspace), 201)["token"]
    expect(stack.call("POST", "/v1/onboarding/workspaces", stack.operator_token, workspace), 409)
    admins = "/v1/onboarding/workspaces/{}/admins"
    expect(stack.call("POST", admins.format("nobody"), stack.operator_token, {}), 404)
    admin = expect(stack.call("POST", admins.format("walk"), stack.operator_token, {"display_name": "Walk"}), 201)
    expect(stack.call("DELETE", f"/v1/members/{admin['member_id']}", token), 204)
    body = json.loads(sample("workflows_create")["body"])
    workflow = expect(stack.call("POST", "/v1/workflows", token, body), 201)["id"]
    publish(stack, token, workflow)
    started = expect(stack.call("POST", f"/v1/workflows/{workflow}/command", token, {"command": "start", "params": INPUT}), 200)
    run = f"/v1/workflows/{workflow}/runs/{started['run_id']}"
    completed(stack, token, run)
    steps = expect(stack.call("GET", f"{run}/context", token), 200)["steps"]
    assert steps["echo"]["result"] == {"message": "ok", "input": INPUT}, steps
    events = expect(stack.call("GET", f"{run}/events", token), 200)["events"]
    told = [event["event_type"] for event in events]
    assert told == ["run_started", "state_changed", "step_started", "step_completed", "state_changed"], told
    assert expect(stack.call("GET", f"{run}/summary", token), 200)["run_complete"] is True
    for feed in "/v1/runs", f"/v1/workflows/{workflow}/runs":
        listed = [each["run_id"] for each in expect(stack.call("GET", feed, token), 200)["runs"]]
        assert listed == [started["run_id"]], f"{feed}: {listed}"
    people_and_calls(stack, token, workflow)
    figures(stack, token)
    credits(stack, token)
    plans(stack, token)
    mcp_tools(stack, token, workflow)
    connections(stack, token)
    model_keys(stack, token)
    webhooks(stack, token, workflow)
    tools_are_called(stack, token)
    access(stack, token)
    workflow_after_its_runs(stack, token, workflow, body["graph"])


def access(stack, token):
    """Tokens, projects, members and the trail; a POST that is sent again is answered alike."""
    keyed = {"Idempotency-Key": "walk-1"}
    first = expect(stack.call("POST", "/v1/pats", token, {"display_name": "walk"}, keyed), 201)
    assert expect(stack.call("POST", "/v1/pats", token, {"display_name": "walk"}, keyed), 201) == first
    expect(stack.call("POST", "/v1/pats", token, {"display_name": "another"}, keyed), 409)
    expect(stack.call("GET", "/v1/workflows", first["token"]), 200)
    assert first["id"] in [pat["id"] for pat in expect(stack.call("GET", "/v1/pats", token), 200)["pats"]]
    expect(stack.call("GET", f"/v1/pats/{first['id']}/reveal", token), 410)
    expect(stack.call("DELETE", f"/v1/pats/{first['id']}", token), 204)
    expect(stack.call("POST", "/v1/projects", token, {"project_id": "second"}), 201)
    member = {"display_name": "Alex", "project_roles": {"second": "project_contributor"}}
    member = expect(stack.call("POST", "/v1/members", token, member), 201)["id"]
    new = {"display_name": "Alex's", "member_id": member, "project_id": "second"}
    theirs = expect(stack.call("POST", "/v1/pats", token, new), 201)["token"]
    expect(stack.call("GET", "/v1/workflows", theirs), 200)
    expect(stack.call("PATCH", f"/v1/members/{member}", token, {"role": "project_viewer"}), 200)
    assert expect(stack.call("GET", f"/v1/members/{member}", token), 200)["role"] == "project_viewer"
    assert len(expect(stack.call("GET", "/v1/members", token), 200)["members"]) == 2
    expect(stack.call("DELETE", f"/v1/members/{member}", token), 204)
    expect(stack.call("PATCH", "/v1/projects/second", token, {"name": "Second"}), 200)
    expect(stack.call("DELETE", "/v1/projects/second", token), 204)
    expect(stack.call("POST", "/v1/projects/second/restore", token, {}), 200)
    assert expect(stack.call("GET", "/v1/projects/second", token), 200)["status"] == "active"
    assert len(expect(stack.call("GET", "/v1/projects", token), 200)["projects"]) == 2
    told, cursor = [], ""
    while cursor is not None:
        page = expect(stack.call("GET", f"/v1/audit?limit=100{cursor}", token), 200)
        told += [entry["action"] for entry in page["entries"]]
        cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
    # The hour's uses of a credential stand where the hour began, among what was done in it.
    done = [action for action in told if action != "credential.send"]
    assert done[0] == "project.restore" and "run.start" in done and done[-1] == "workspace.create", told


def figures(stack, token):
    """What the counters say of the runs so far: five that completed, three of which a fourth has called."""
    told = lambda name: expect(stack.call("GET", f"/v1/analytics/{name}?window=week", token), 200)
    assert told("runs-count")["by_status"] == {"completed": 5, "failed": 0, "stopped": 0}, told("runs-count")
    assert told("live-runs")["live_runs"] == 0
    assert told("success-rate")["success_rate"] == 1
    assert told("execution-duration")["p95_ms"] > 0
    assert told("steps-executed")["count"] == sum(step["count"] for step in told("steps-summary")["steps"]) > 0
    assert told("credits-consumed")["microcredits"] == sum(point["microcredits"] for point in told("usage-timeseries")["points"])
    assert sum(point["count"] for point in told("runs-timeseries")["points"]) == 5


def credits(stack, token):
    """Credits are given once for a cause, what runs have used is in the ledger, and a price is agreed on."""
    told = lambda path: expect(stack.call("GET", f"/v1/billing/{path}", token), 200)
    grant = {"tenant_id": "walk", "bucket": "payg", "microcredits": 5_000_000, "cause": "walk-1"}
    given = expect(stack.call("POST", "/v1/billing/grants", stack.operator_token, grant), 201)
    assert expect(stack.call("POST", "/v1/billing/grants", stack.operator_token, grant), 201) == given
    assert told("usage")["payg_remaining"] == told("usage")["total_remaining_microcredits"] == 5_000_000, told("usage")
    used = sum(each["microcredits"] for each in told("usage-history?kind=debit&limit=100")["entries"])
    by_project = told("usage-dimensions")["projects"]
    assert used == sum(each["microcredits"] for each in by_project) > 0, (used, by_project)
    price = lambda: told("action-pricing")["actions"][0]["microcredits"]
    new = {"tenant_id": "walk", "action": "workflow.step.execute", "microcredits": 7}
    usual = price()
    expect(stack.call("PUT", "/v1/billing/action-pricing", stack.operator_token, new), 200)
    assert price() == 7
    expect(stack.call("PUT", "/v1/billing/action-pricing", stack.operator_token, new | {"microcredits": None}), 200)
    assert price() == usual


def plans(stack, token):
    """Plans are shown, one is tried, and a code grants credits; what costs money says that nothing is sold here."""
    told = lambda path: expect(stack.call("GET", path, token), 200)
    post = lambda path, body, status=200, token=token: expect(stack.call("POST", f"/v1/billing/{path}", token, body), status)
    assert "pro" in [plan["plan_code"] for plan in told("/v1/billing/plans")["plans"]]
    assert told("/v1/config/stripe") == {"enabled": False}
    post("trial", {"plan_code": "pro"})
    assert told("/v1/billing/status")["status"] == "trialing"
    for path in "subscription", "subscription/change-plan":
        post(path, {"plan_code": "pro"}, 503)
    post("subscription/convert-trial-now", {}, 503)
    post("topups/payg/intent", {"amount_cents": 2000}, 503)
    post("discounts/validate", {"code": "LAUNCH"}, 503)
    post("stripe-webhook", {}, 503, None)
    post("subscription", {"plan_code": "free"})
    post("subscription/cancel", {})
    assert told("/v1/billing/summary")["plan"]["payments_enabled"] is False
    assert told("/v1/billing/payment-history") == {"payments": []}
    before = told("/v1/billing/usage")["payg_remaining"]
    post("codes", {"code": "WALK", "microcredits": 7}, 201, stack.operator_token)
    post("codes/apply", {"code": "walk"})
    assert told("/v1/billing/usage")["payg_remaining"] == before + 7


def people_and_calls(stack, token, child):
    """A run that loops over calls of another workflow, asks a person, and is paused, stopped and retried."""
    call = {"id": "call", "type": "workflow_call", "workflow_id": child, "input": {"at": "{{ index }}"}}
    steps = [
        {"id": "each", "type": "for_each", "for_each_items": [1, 2, 3], "for_each_body_steps": [call]},
        {"id": "ask", "type": "human_task", "task_type": "approval", "depends_on": ["each"], "timeout_s": 3600},
        {"id": "after", "type": "lua_script", "script": "return { ok = true }", "depends_on": ["ask"]},
    ]
    workflow = expect(stack.call("POST", "/v1/workflows", token, {"name": "asks", "graph": {"steps": steps}}), 201)["id"]
    publish(stack, token, workflow)
    command = lambda body: expect(stack.call("POST", f"/v1/workflows/{workflow}/command", token, body), 200)
    run_id = command({"command": "start"})["run_id"]
    run = f"/v1/workflows/{workflow}/runs/{run_id}"
    pending = lambda: expect(stack.call("GET", f"{run}/tasks/pending", token), 200)["tasks"]
    wait_for("the question", pending, seconds=60)
    for name in "pause", "resume", "stop":
        command({"command": name, "params": {"run_id": run_id}})
    assert pending() == []
    expect(stack.call("POST", f"{run}/retry", token, {}), 200)
    wait_for("the question again", pending, seconds=60)
    assert [task["id"] for task in expect(stack.call("GET", "/v1/tasks/pending", token), 200)["tasks"]] == ["ask"]
    expect(stack.call("POST", f"{run}/tasks/ask/complete", token, {"approved": True}), 200)
    completed(stack, token, run)
    results = expect(stack.call("GET", f"{run}/context", token), 200)["steps"]["each"]["result"]["results"]
    assert [each["result"]["status"] for each in results] == ["completed"] * 3, results


def mcp_tools(stack, token, workflow):
    """The MCP server shakes hands, lists its tools, and starts a run with one."""
    # The function that first meets a token on a day notes that it is used.
    fresh = expect(stack.call("POST", "/v1/pats", token, {"display_name": "agent"}), 201)["token"]

    def request(method, params):
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return expect(stack.call("POST", "/mcp", fresh, message), 200)["result"]

    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "walk", "version": "1"}}
    assert request("initialize", client)["serverInfo"]["name"] == "agentruntime"
    expect(stack.call("POST", "/mcp", token, {"jsonrpc": "2.0", "method": "notifications/initialized"}), 202)
    assert "workflows_execute_command" in [tool["name"] for tool in request("tools/list", {})["tools"]]

    def tool(name, **arguments):
        result = request("tools/call", {"name": name, "arguments": arguments})
        assert not result["isError"], result
        return result["structuredContent"]

    assert workflow in [each["id"] for each in tool("workflows_list")["workflows"]]
    started = tool("workflows_execute_command", workflow_id=workflow, command="start", params=INPUT, wait_s=20)
    completed(stack, token, f"/v1/workflows/{workflow}/runs/{started['run_id']}")
    assert tool("ar_health_summary")["status"] == "ok"
    assert tool("catalog_bff_request", method="GET", path="/v1/mcp/servers")["status"] == 200
    assert stack.call("GET", "/mcp", token)[0] == 405
    assert stack.call("DELETE", "/mcp", token)[0] == 405


def connections(stack, token):
    """A connection whose value is in Secrets Manager and nowhere else, is changed, and is destroyed."""
    new = {"display_name": "Ticket system", "provider": "custom", "service": "api_key", "credentials": {"api_key": "first-value-of-the-key"}}
    made = expect(stack.call("POST", "/v1/connections", token, new), 201)
    here = f"/v1/connections/{made['id']}"
    secrets = lambda: secrets_under(stack, f"walk/default/connection/{made['id']}")
    assert ["first-value-of-the-key" in value for value in secrets()] == [True]
    assert [each["id"] for each in expect(stack.call("GET", "/v1/connections", token), 200)["connections"]] == [made["id"]]
    expect(stack.call("PATCH", here, token, {"credentials": {"api_key": "second-value-of-the-key"}}), 200)
    assert ["second-value-of-the-key" in value for value in secrets()] == [True]
    assert expect(stack.call("GET", here, token), 200)["credential_keys"] == ["api_key"]
    shown = expect(stack.call("GET", f"{here}/credentials", token), 200)["credentials"]
    assert [(each["name"], each["length"], each["last_four"]) for each in shown] == [("api_key", 23, "-key")], shown
    expect(stack.call("DELETE", here, token), 204)
    assert secrets() == []


def secrets_under(stack, prefix):
    """The values of the secrets whose names begin so."""
    client = stack.client("secretsmanager")
    pages = client.get_paginator("list_secrets").paginate()
    names = [each["Name"] for page in pages for each in page["SecretList"] if each["Name"].startswith(f"{STACK}/{prefix}")]
    return [client.get_secret_value(SecretId=name)["SecretString"] for name in names]


def webhooks(stack, token, workflow):
    """A webhook that senders of both forms start runs with; its secret is rotated, and it is deleted."""
    new = {"workflow_id": workflow, "name": "Orders", "automation_bearer": token}
    made = expect(stack.call("POST", "/v1/inbound-webhooks", token, new), 201)
    here, body = made["ingress_path"], json.dumps(INPUT).encode()
    first = made["signing_secret"]
    own = lambda secret: {"X-Agentruntime-Signature": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"}
    expect(stack.call("POST", here, token, body), 401)
    expect(stack.call("POST", here, None, body, own(first)), 401)
    accepted = expect(stack.call("POST", here, token, body, own(first)), 202)
    completed(stack, token, f"/v1/workflows/{workflow}/runs/{accepted['run_id']}")
    context = expect(stack.call("GET", f"/v1/workflows/{workflow}/runs/{accepted['run_id']}/context", token), 200)
    assert context["input"] == INPUT, context
    rotated = expect(stack.call("POST", f"{here}/rotate-secret", token, {"grace_s": 0}), 200)["signing_secret"]
    expect(stack.call("POST", here, token, body, own(first)), 401)
    standard = standard_headers(rotated, "msg_1", body)
    accepted = expect(stack.call("POST", here, token, body, standard), 202)
    assert expect(stack.call("POST", here, token, body, standard), 200)["run_id"] == accepted["run_id"]
    expect(stack.call("PATCH", here, token, {"enabled": False}), 200)
    expect(stack.call("POST", here, token, body, own(rotated)), 404)
    assert expect(stack.call("GET", here, token), 200)["enabled"] is False
    listed = expect(stack.call("GET", "/v1/inbound-webhooks", token), 200)["inbound_webhooks"]
    assert [each["id"] for each in listed] == [made["subscription"]["id"]]
    outcomes = [each["outcome"] for each in expect(stack.call("GET", f"{here}/deliveries", token), 200)["deliveries"]]
    assert sorted(set(outcomes)) == ["accepted", "duplicate", "refused"], outcomes
    expect(stack.call("DELETE", here, token), 204)
    assert secrets_under(stack, f"walk/default/webhook/{made['subscription']['id']}") == []


def standard_headers(secret, message, body):
    """What the reference library of Standard Webhooks makes a sender send."""
    now = datetime.now(tz=timezone.utc)
    signature = Webhook(secret).sign(message, now, body.decode())
    return {"webhook-id": message, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def tools_are_called(stack, token):
    """A server goes from its address to a tool that a deployed workflow calls, with a connection's key."""
    with mcp_server() as server:
        post = lambda path, body, status=201: expect(stack.call("POST", f"/v1/mcp/{path}", token, body), status)
        get = lambda path: expect(stack.call("GET", f"/v1/mcp/{path}", token), 200)
        assert "github" in [entry["id"] for entry in get("platform-catalog")["entries"]]
        new = {"name": "Walk", "canonical_url": server.url}
        here = f"servers/{post('servers', new)['id']}"
        assert post(f"{here}/discover", {}, 200)["tool_count"] == 1
        assert post(f"{here}/versions", {"activate": True})["active"]
        assert len(get(f"{here}/versions")["versions"]) == len(get("servers")["servers"]) == 1
        expect(stack.call("PATCH", f"/v1/mcp/{here}", token, {"description": "changed"}), 200)
        assert post(f"{here}/validate", {}, 200)["valid"]
        key = {"display_name": "Key", "provider": "custom", "service": "api_key", "credentials": {"api_key": "walk-key-first"}}
        connection = expect(stack.call("POST", "/v1/connections", token, key), 201)["id"]
        assert post(f"{here}/connections/{connection}/validate", {}, 200)["valid"]
        instance = post("instances", {"server_id": get(here)["id"]})["id"]
        at = f"instances/{instance}"
        spec = {"connection_id": connection, "inject": [{"credential_key": "api_key", "as": "bearer"}]}
        profile = post(f"{at}/config-profiles", {"name": "One", "source_spec": spec})["id"]
        expect(stack.call("PATCH", f"/v1/mcp/{at}/config-profiles/{profile}", token, {"name": "Uno"}), 200)
        assert post(f"{at}/config-profiles/{profile}/set-active", {}, 200)["active"]
        assert len(get(f"{at}/config-profiles")["config_profiles"]) == len(get("instances")["instances"]) == 1
        expect(stack.call("PATCH", f"/v1/mcp/{at}", token, {"name": "Walked"}), 200)
        assert get(at)["connection_id"] == connection
        assert post(f"{at}/validate", {}, 200)["valid"]
        assert get("tools?q=echo")["tools"][0]["instance_id"] == instance
        assert post(f"{at}/tools/echo/call", {"arguments": {"a": 1}}, 200)["result"] == {"a": 1}
        assert server.seen[-1][0] == "Bearer walk-key-first", server.seen
        # Its key is changed, as operators change keys; what is called afterwards has the new one.
        changed = {"credentials": {"api_key": "walk-key-12345"}}
        expect(stack.call("PATCH", f"/v1/connections/{connection}", token, changed), 200)
        call = {"id": "call", "type": "mcp_call", "instance_id": instance, "tool_name": "echo", "tool_args": {"b": 2}}
        graph = {"steps": [call]}
        assert post("instances/resolve", {"graph": graph}, 200)["resolutions"][0]["status"] == "resolved"
        workflow = expect(stack.call("POST", "/v1/workflows", token, {"name": "tools", "graph": graph}), 201)["id"]
        publish(stack, token, workflow)
        overrides = {"overrides": [{"instance_id": instance, "connection_id": connection}]}
        expect(stack.call("PUT", f"/v1/workflows/{workflow}/connection-overrides", token, overrides), 200)
        assert expect(stack.call("GET", f"/v1/workflows/{workflow}/connection-overrides", token), 200) == overrides
        started = expect(stack.call("POST", f"/v1/workflows/{workflow}/command", token, {"command": "start"}), 200)
        run = f"/v1/workflows/{workflow}/runs/{started['run_id']}"
        completed(stack, token, run)
        assert expect(stack.call("GET", run, token), 200)["outputs"] == {"call": {"b": 2}}
        assert server.seen[-1] == ("Bearer walk-key-12345", f"{started['run_id']}/call/1"), server.seen
        expect(stack.call("PUT", f"/v1/workflows/{workflow}/connection-overrides", token, {"overrides": []}), 200)
        expect(stack.call("DELETE", f"/v1/mcp/{at}", token), 204)
        expect(stack.call("DELETE", f"/v1/mcp/{here}", token), 204)
        expect(stack.call("DELETE", f"/v1/workflows/{workflow}", token), 204)


def model_keys(stack, token):
    """A key of a model provider is kept, used to resolve a model, rotated, and destroyed with its secret."""
    keys = "/v1/llm-provider-keys"
    new = {"provider": "openai", "api_key": "sk-test-0123456789abcdef"}
    made = expect(stack.call("POST", keys, token, new), 201)
    assert made["key_hint"] == "…cdef", made
    names = lambda: [each["Name"] for each in stack.client("secretsmanager").list_secrets(MaxResults=100)["SecretList"]]
    kept = lambda: [name for name in names() if f"/llm-key/{made['id']}/" in name]
    assert len(kept()) == 1, names()
    listed = expect(stack.call("GET", keys, token), 200)["llm_provider_keys"]
    # The deployment's own is there, too: it may call Bedrock.
    assert {each["scope"]: each["id"] for each in listed} == {"tenant": made["id"], "system": "bedrock"}, listed
    assert expect(stack.call("GET", f"{keys}/catalog", token), 200)["providers"]
    resolved = expect(stack.call("POST", "/v1/llm/resolve", token, {"model_ref": "direct.openai.gpt-4.1"}), 200)
    assert (resolved["key_source"], resolved["credential_id"]) == ("tenant", made["id"]), resolved
    here = f"{keys}/{made['id']}"
    assert expect(stack.call("PATCH", here, token, {"name": "Ours"}), 200)["name"] == "Ours"
    rotated = expect(stack.call("POST", f"{here}/rotate", token, {"api_key": "sk-test-9999999999wxyz"}), 200)
    assert rotated["key_hint"] == "…wxyz", rotated
    model_is_called(stack, token)
    expect(stack.call("DELETE", here, token), 204)
    assert kept() == [], kept()


def model_is_called(stack, token):
    """The deployed worker reads the key and would go out with it; where that leads, nobody answers."""
    step = {"id": "ask", "type": "llm_call", "prompt": "Hello", "model_ref": "direct.openai.gpt-4.1", "timeout_s": 20}
    server = {"provider": "openai", "api_key": "sk-test-0123456789abcdef", "base_url": "https://localhost:9/v1"}
    key = expect(stack.call("POST", "/v1/llm-provider-keys", token, server), 201)["id"]
    step["llm_credential_id"] = key
    workflow = expect(stack.call("POST", "/v1/workflows", token, {"name": "asks a model", "graph": {"steps": [step]}}), 201)["id"]
    publish(stack, token, workflow)
    run_id = expect(stack.call("POST", f"/v1/workflows/{workflow}/command", token, {"command": "start"}), 200)["run_id"]
    run = f"/v1/workflows/{workflow}/runs/{run_id}"
    over = lambda: expect(stack.call("GET", f"{run}?wait_s=5", token), 200)["status"] not in ("pending", "running")
    wait_for("the end of the run", over, seconds=60)
    found = expect(stack.call("GET", run, token), 200)
    assert (found["status"], found["failure_code"]) == ("failed", "LLM_REQUEST_FAILED"), found
    assert "sk-test" not in json.dumps(found), found
    expect(stack.call("DELETE", f"/v1/llm-provider-keys/{key}", token), 204)


def workflow_after_its_runs(stack, token, workflow, graph):
    here = f"/v1/workflows/{workflow}"
    assert workflow in [each["id"] for each in expect(stack.call("GET", "/v1/workflows", token), 200)["workflows"]]
    graph = {"steps": [graph["steps"][0] | {"script": "return { message = 'changed' }"}]}
    expect(stack.call("PATCH", here, token, {"name": "order-triage-2", "graph": graph}), 200)
    assert expect(stack.call("GET", here, token), 200)["name"] == "order-triage-2"
    assert expect(stack.call("GET", f"{here}/versions", token), 200)["versions"][0]["version"] == 1
    assert expect(stack.call("GET", f"{here}/versions/1", token), 200)["version"] == 1
    expect(stack.call("POST", f"{here}/validate", token, {}), 200)
    expect(stack.call("GET", f"{here}/graph-dry-runs", token), 200)
    expect(stack.call("GET", "/v1/workflows/tools", token), 200)
    expect(stack.call("POST", "/v1/workflows/validate", token, {"graph": graph}), 200)
    expect(stack.call("GET", "/v1/workflows/schema", token), 200)
    trigger_fires(stack, token, here)
    expect(stack.call("DELETE", here, token), 204)
    expect(stack.call("POST", f"{here}/restore", token, {}), 200)


def trigger_fires(stack, token, workflow):
    """A trigger of every minute starts a run when the deployed sweep finds it due; it is changed and deleted."""
    made = expect(stack.call("POST", f"{workflow}/triggers", token, {"cron": "* * * * *", "params": INPUT}), 201)
    here = f"{workflow}/triggers/{made['id']}"
    last_run = lambda: expect(stack.call("GET", f"{workflow}/triggers", token), 200)["triggers"][0]["last_run_id"]

    def fired():
        # The schedule would invoke it within a minute; what is looked at here is what it then may do.
        stack.client("lambda").invoke(FunctionName=f"{STACK}-sweep", Payload=json.dumps(sample("sweep_scheduled")))
        return last_run() is not None

    wait_for("the trigger's run", fired, seconds=120)
    assert expect(stack.call("PATCH", here, token, {"enabled": False}), 200)["next_run_at"] is None
    run = f"{workflow}/runs/{last_run()}"
    completed(stack, token, run)
    assert expect(stack.call("GET", run, token), 200)["trigger_type"] == "schedule"
    expect(stack.call("DELETE", here, token), 204)


def publish(stack, token, workflow):
    expect(stack.call("POST", f"/v1/workflows/{workflow}/versions", token, {"changelog": "first"}), 201)


def completed(stack, token, run):
    """Waits until a run is over, and it must be well."""
    over = lambda: expect(stack.call("GET", f"{run}?wait_s=5", token), 200)["status"] not in ("pending", "running")
    wait_for("the end of the run", over, seconds=60)
    found = expect(stack.call("GET", run, token), 200)
    assert found["status"] == "completed", found


def sample(name):
    return json.loads(Path("events", f"{name}.json").read_text())


def answered(stack, functions, name, function, token=None, path=None):
    """What a function answers to a sample event, with a token and an id that exist here."""
    event = sample(name)
    if token:
        event["headers"]["authorization"] = f"Bearer {token}"
    if path:
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
    answer = functions.invoke(function, event)
    return (answer["statusCode"], json.loads(answer["body"])) if "headers" in event else answer


def events_are_accepted(stack, scratch, environment):
    """`cargo lambda invoke` hands each function its sample event, and together they finish a run."""
    # The emulator's own worker stays out of it until cargo-lambda's has had the message.
    stack.set_worker(Enabled=False)
    with runtime(scratch) as functions:
        for function, logical_id in FUNCTIONS.items():
            functions.start(function, Path(BUILD, logical_id, "bootstrap"), environment | stack.environment_of(function))
        created = answered(stack, functions, "onboarding_create_workspace", "onboarding", stack.operator_token)
        token = expect(created, 201)["token"]
        workflow = expect(answered(stack, functions, "workflows_create", "workflows", token), 201)["id"]
        publish(stack, token, workflow)
        triggers = f"/v1/workflows/{workflow}/triggers"
        expect(answered(stack, functions, "workflows_create_trigger", "workflows", token, triggers), 201)
        expect(answered(stack, functions, "pats_create", "pats", token), 201)
        command = f"/v1/workflows/{workflow}/command"
        run_id = expect(answered(stack, functions, "runs_start", "runs", token, command), 200)["run_id"]
        worked = answered(stack, functions, "run_step_worker_messages", "run_step_worker")
        assert worked == {"batchItemFailures": []}, worked
        # cargo-lambda says that each invocation should have ended in 1970, so its worker may have handed over.
        stack.set_worker(Enabled=True)
        completed(stack, token, f"/v1/workflows/{workflow}/runs/{run_id}")
        answered(stack, functions, "sweep_scheduled", "sweep")
        expect(answered(stack, functions, "connections_create", "connections", token), 201)
        expect(answered(stack, functions, "mcp_servers_create", "mcp_servers", token), 201)
        # There are no such workflow, subscription and run here: the samples are understood, and say so.
        expect(answered(stack, functions, "inbound_webhooks_create", "inbound_webhooks", token), 422)
        expect(answered(stack, functions, "webhook_ingress_delivery", "webhook_ingress", token), 404)
        expect(answered(stack, functions, "tasks_complete", "tasks", token), 404)
        expect(answered(stack, functions, "llm_create_key", "llm", token), 201)
        called = expect(answered(stack, functions, "platform_mcp_call", "platform_mcp", token), 200)
        assert called["result"]["structuredContent"]["workflows"][0]["id"] == workflow, called
        expect(answered(stack, functions, "billing_grant", "billing", stack.operator_token), 201)
        assert expect(answered(stack, functions, "analytics_runs_count", "analytics", token), 200)["count"] == 1


def every_route_was_used(stack):
    """Each route of the gateway answered with success in these checks."""
    patterns = {key: re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(key)) for key in stack.routes()}
    unused = [key for key, pattern in patterns.items() if not any(re.fullmatch(pattern, call) for call in stack.succeeded)]
    assert not unused, sorted(unused)


def roles_sufficed(stack):
    """No function asked for a right that its role does not give."""
    refused = {function: sorted(gate.refused) for function, gate in stack.gates.items() if gate.refused}
    assert not refused, refused


def roles_give_what_is_used(stack):
    """No role gives a right that its function does not use here, but for the few whose moments are rare."""
    of_code = ("dynamodb:", "sqs:", "secretsmanager:")
    unused = {}
    for function, gate in stack.gates.items():
        given = {right for statement in stack.statements(function) for right in many(statement["Action"])}
        left = {right for right in given if right.startswith(of_code)} - {right for right, *_ in gate.used}
        if left:
            unused[function] = left
    assert unused == RARE, f"unused {unused}, expected {RARE}"


def check(passed, work, *arguments):
    title = work.__doc__.splitlines()[0]
    try:
        work(*arguments)
    except Exception:
        print(f"FAILED  {title}\n{traceback.format_exc()}", flush=True)
        passed.append(False)
    else:
        print(f"ok      {title}", flush=True)
        passed.append(True)


def main(program, programs=None):
    passed = []
    with tempfile.TemporaryDirectory(prefix="agentruntime-deploy-") as scratch:
        with emulator(program, scratch) as endpoint:
            environment = aws_environment(endpoint)
            build_and_deploy(environment, programs)
            stack = Deployment(endpoint)
            # The emulator keeps the template's number as text and then cannot compare it.
            stack.set_worker(ScalingConfig={"MaximumConcurrency": 2})
            check(passed, open_to_all, stack)
            check(passed, routes_are_the_documents, stack)
            check(passed, closed_without_token, stack)
            check(passed, main_job, stack)
            check(passed, events_are_accepted, stack, scratch, environment)
            check(passed, every_route_was_used, stack)
            check(passed, roles_sufficed, stack)
            check(passed, roles_give_what_is_used, stack)
            # They make the functions begin anew, and use what is rarely used.
            check(passed, keys_are_rotated, stack, STACK)
            check(passed, table_is_restored, stack, STACK)
            used = {function: sorted({right for right, *_ in gate.used}) for function, gate in stack.gates.items()}
            print("rights used:", json.dumps(used))
        if not all(passed):
            for log in sorted(Path(scratch).glob("*.log")):
                lines = log.read_text(errors="replace").splitlines()[-30:]
                print(f"--- {log.name}", *(line[:500] for line in lines), sep="\n")
    print(f"deploy: {passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
