"""What docs/operations.md tells operators to do when things are bad, done to a deployed stack: its own commands, as they
stand there. tests/deploy-tools/deploy_test.py has the stack.
"""

import hmac
import json
import re

from commands import blocks, shell

INPUT = {"customer_email": "alex@example.com", "order_id": "12345"}
SCRIPT = {"id": "echo", "type": "lua_script", "script": "return { message = 'ok' }"}
QUESTION = {"id": "ask", "type": "human_task", "task_type": "approval", "timeout_s": 3600}


class Workspace:
    """A workspace of a drill, and an admin's token."""

    def __init__(self, stack, slug):
        self.stack, self.slug = stack, slug
        body = {"name": slug, "slug": slug}
        self.token = self.expect(201, stack.call("POST", "/v1/onboarding/workspaces", stack.operator_token, body))["token"]

    def expect(self, status, answer):
        assert answer[0] == status, f"answered {answer[0]}, not {status}: {answer[1]}"
        return answer[1]

    def post(self, path, body, status=201):
        return self.expect(status, self.stack.call("POST", path, self.token, body))

    def get(self, path, status=200):
        return self.expect(status, self.stack.call("GET", path, self.token))

    def workflow(self, *steps):
        made = self.post("/v1/workflows", {"name": "drill", "graph": {"steps": list(steps)}})["id"]
        self.post(f"/v1/workflows/{made}/versions", {"changelog": "first"})
        return f"/v1/workflows/{made}"

    def start(self, workflow):
        command = {"command": "start", "params": INPUT}
        return f"{workflow}/runs/{self.post(f'{workflow}/command', command, 200)['run_id']}"

    def status(self, run, tries=6):
        """Its status when it is over, or after a minute or so."""
        for _ in range(tries):
            found = self.get(f"{run}?wait_s=10")["status"]
            if found not in ("pending", "running"):
                break
        return found

    def new_admin(self):
        """As the operator lets somebody in whom nobody in the workspace can."""
        path = f"/v1/onboarding/workspaces/{self.slug}/admins"
        self.token = self.expect(201, self.stack.call("POST", path, self.stack.operator_token, {"display_name": "Alex"}))["token"]


def named(section, stack):
    """A section's blocks, about this stack."""
    return [re.sub(r"^stack=.*$", f"stack={stack}", block, flags=re.MULTILINE) for block in blocks(section)]


def delivered(space, path, token, secret):
    """The status of a delivery to a webhook."""
    body = json.dumps(INPUT).encode()
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return space.stack.call("POST", path, token, body, {"X-Agentruntime-Signature": f"sha256={signature}"})[0]


def keys_are_rotated(stack, name):
    """The operator token, a webhook's secret and the token key are changed as docs/operations.md says; runs complete."""
    operator_token, token_key, of_kms = named("Keys and tokens", name)
    space = Workspace(stack, "rotation")
    workflow = space.workflow(SCRIPT)
    asks = space.workflow(QUESTION, SCRIPT | {"depends_on": ["ask"]})
    waiting = space.start(asks)
    hook = space.post("/v1/inbound-webhooks", {"workflow_id": workflow.rsplit("/", 1)[1], "name": "drill", "automation_bearer": space.token})
    path, first = hook["ingress_path"], hook["signing_secret"]
    second = space.post(f"{path}/rotate-secret", {}, 200)["signing_secret"]
    assert [delivered(space, path, space.token, each) for each in (first, second)] == [202, 202], "both hold in the grace"
    third = space.post(f"{path}/rotate-secret", {"grace_s": 0}, 200)["signing_secret"]
    assert [delivered(space, path, space.token, each) for each in (second, third)] == [401, 202], "only the new one holds"
    with shell(stack.client) as run:
        old = stack.operator_token
        run(operator_token)
        stack.operator_token = stack.client("secretsmanager").get_secret_value(SecretId=f"{name}/operator-token")["SecretString"]
        assert stack.operator_token != old
        assert stack.call("POST", "/v1/onboarding/workspaces", old, {"name": "No", "slug": "no"})[0] == 401
        space.new_admin()
        assert space.status(space.start(workflow)) == "completed"
        void = space.token
        run(token_key)
        # One function of each kind: who reads with it, who starts, who takes deliveries.
        for method, each in ("GET", "/v1/workflows"), ("GET", "/v1/runs"), ("GET", "/v1/pats"), ("POST", "/mcp"):
            assert stack.call(method, each, void, {} if method == "POST" else None)[0] == 401, each
        space.new_admin()
        assert space.status(space.start(workflow)) == "completed"
        space.post(f"{waiting}/tasks/ask/complete", {"approved": True}, 200)
        assert space.status(waiting) == "completed", "a run goes on over a change of the key"
        assert [delivered(space, path, each, third) for each in (void, space.token)] == [401, 401]
        deliveries = space.get(f"{path}/deliveries")["deliveries"]
        assert any("TOKEN_WRONG" in each.get("refused", {}) for each in deliveries), deliveries
        # Another key: what is kept can be read afterwards.
        key = stack.client("kms").create_key()["KeyMetadata"]["Arn"]
        run(re.sub("^new_key=.*$", f"new_key={key}", of_kms, flags=re.MULTILINE))
        space.new_admin()


def table_is_restored(stack, name):
    """The table is restored as docs/operations.md says: what was there is served and goes on, what came since is gone."""
    beside, rows, stop, back_up, replace, settings, start = named("Restoring the table", name)
    space = Workspace(stack, "restore")
    workflow = space.workflow(SCRIPT)
    asks = space.workflow(QUESTION, SCRIPT | {"depends_on": ["ask"]})
    ended, waiting = space.start(workflow), space.start(asks)
    assert space.status(ended) == "completed"
    revoked = space.post("/v1/pats", {"display_name": "revoked since"})
    before = space.get(ended)
    with shell(stack.client) as run:
        # The emulator restores what there is now, whatever time it is told.
        run(beside)
        since = space.start(workflow)
        assert space.status(since) == "completed"
        space.expect(204, stack.call("DELETE", f"/v1/pats/{revoked['id']}", space.token))
        # A row is lost, and copied back.
        row = {"pk": {"S": f"T#restore#P#default#RUN#{ended.rsplit('/', 1)[1]}"}, "sk": {"S": "RUN"}}
        stack.client("dynamodb").delete_item(TableName=name, Key=row)
        space.get(ended, 404)
        run(re.sub("^key=.*$", lambda _: f"key='{json.dumps(row)}'", rows, flags=re.MULTILINE))
        assert space.get(ended) == before
        run(stop)
        assert stack.call("GET", "/v1/runs", space.token)[0] in (429, 503), "functions are still called"
        run(back_up)
        run(replace)
        run(settings)
        run(start)
    described = stack.client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] == "ENABLED" and described["AttributeName"] == "expires_at", described
    described = stack.client("dynamodb").describe_table(TableName=name)["Table"]
    assert len(described["GlobalSecondaryIndexes"]) == 3 and described["DeletionProtectionEnabled"], described
    assert space.get(ended) == before
    space.get(since, 404)
    # It is there again, until it is revoked again.
    space.expect(200, stack.call("GET", "/v1/workflows", revoked["token"]))
    space.post(f"{waiting}/tasks/ask/complete", {"approved": True}, 200)
    assert space.status(waiting) == "completed"
    again = space.start(workflow)
    assert space.status(again) == "completed"
    listed = [each["run_id"] for each in space.get("/v1/runs")["runs"]]
    assert listed == [each.rsplit("/", 1)[1] for each in (again, waiting, ended)], listed
