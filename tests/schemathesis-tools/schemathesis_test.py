"""Holds the API of the local process against its OpenAPI document, with cases that schemathesis makes of it.

Each group of endpoints (a tag of the document) is asked in a workspace of its own, in all phases and with all
checks: no server error, no status, header or body that the document does not describe, nothing accepted that it
forbids, nothing reachable without a token. Ids of things that exist are mixed into the cases, so that they do not
all end at 404.

Usage: schemathesis_test.py <schemathesis> <the local process> [--cases 40] [--only <tag> …] [--seed 1]
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
METHODS = {"get", "put", "post", "patch", "delete"}
ECHO = {"id": "echo", "type": "lua_script", "script": "return { message = 'ok', input = input }"}
ASK = {"id": "ask", "type": "human_task", "task_type": "approval", "depends_on": ["echo"]}


@contextmanager
def local_process(program):
    """The product on empty data: its address and the operator's token."""
    with tempfile.TemporaryDirectory(prefix="agentruntime-schemathesis-") as scratch:
        arguments = [program, "--port", "0", "--data-dir", f"{scratch}/data"]
        with open(f"{scratch}/log", "wb") as log:
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            base = process.stdout.readline().strip()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            credentials = json.loads(Path(scratch, "data", "credentials.json").read_text())
            yield base, credentials["operator_token"], Path(scratch)
        finally:
            process.terminate()
            process.wait()


class Caller:
    """Somebody with a token."""

    def __init__(self, base, token):
        self.base, self.token = base, token

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path} answered {error.code}: {error.read().decode()}") from error


def things(caller, tag):
    """Makes one of each thing in the caller's project: the ids by the parameter that takes them, a webhook's secret."""
    post = lambda path, body: caller.ask("POST", path, body)
    # Where people are not what it is about, runs end at once, so that requests which wait for one do not wait long.
    graph = {"steps": [ECHO, ASK] if tag == "tasks" else [ECHO]}
    workflow = post("/v1/workflows", {"name": "cases", "graph": graph})["id"]
    post(f"/v1/workflows/{workflow}/versions", {})
    run = post(f"/v1/workflows/{workflow}/command", {"command": "start", "params": {"a": 1}})["run_id"]
    trigger = post(f"/v1/workflows/{workflow}/triggers", {"cron": "0 4 * * *"})["id"]
    token = post("/v1/pats", {"display_name": "Another"})["id"]
    webhook = post("/v1/inbound-webhooks", {"workflow_id": workflow, "name": "Orders", "automation_bearer": caller.token})
    key = {"display_name": "Key", "provider": "custom", "service": "api_key", "credentials": {"api_key": "cases-0123456789"}}
    connection = post("/v1/connections", key)["id"]
    model_key = post("/v1/llm-provider-keys", {"provider": "openai", "api_key": "sk-test-0123456789abcdef"})["id"]
    member = post("/v1/members", {"display_name": "Alex", "role": "project_viewer"})["id"]
    post("/v1/projects", {"project_id": "second"})
    server = post("/v1/mcp/servers", {"name": "Nowhere", "canonical_url": "https://mcp.example.com/mcp"})["id"]
    tools = [{"name": "echo", "inputSchema": {"type": "object"}}]
    post(f"/v1/mcp/servers/{server}/versions", {"version": "1", "tools": tools, "activate": True})
    instance = post("/v1/mcp/instances", {"server_id": server})["id"]
    profile = post(f"/v1/mcp/instances/{instance}/config-profiles", {"name": "One"})["id"]
    made = {
        "id": [workflow, token, webhook["subscription"]["id"], connection, model_key, member, server, instance],
        "run_id": [run],
        "trigger_id": [trigger],
        "task_id": ["ask", "echo"],
        "project_id": ["second"],
        "connection_id": [connection],
        "profile_id": [profile],
        "tool_name": ["echo"],
        "n": [1],
    }
    return made, webhook["signing_secret"]


# The `id` in a path of this beginning is one of things()'s by its place there.
OF_PATH = ["/v1/workflows", "/v1/pats", "/v1/inbound-webhooks", "/v1/connections", "/v1/llm-provider-keys", "/v1/members", "/v1/mcp/servers", "/v1/mcp/instances"]


def settings(document, tag, token, made):
    """The configuration for a group: the checks that are configured for all, its token, and ids that exist."""
    lines = [f'hooks = "{HERE / "hooks.py"}"', (HERE / "schemathesis.toml").read_text(), f'[auth.openapi.pat]\nbearer = "{token}"']
    for name, values in made.items():
        if name != "id":
            lines.append(f"[dictionaries.{name}]\nvalues = {json.dumps(values)}")
    for beginning, value in zip(OF_PATH, made.get("id", []), strict=False):
        lines.append(f"[dictionaries.{name_of(beginning)}]\nvalues = {json.dumps([value])}")
    for path, item in document["paths"].items():
        for method in sorted(METHODS & set(item)):
            names = re.findall(r"\{(\w+)\}", path)
            if tag not in item[method]["tags"] or not made or not names:
                continue
            beginning = next((each for each in OF_PATH if path.startswith(f"{each}/")), None)
            bound = {name: name_of(beginning) if name == "id" and beginning else name for name in names}
            # What the group's token depends on must not be found and deleted.
            share = 1.0 if method == "delete" and tag == "access" else 0.6
            values = ", ".join(f'"path.{name}" = {{ dictionary = "{source}", probability = {share} }}' for name, source in bound.items())
            lines.append(f'[[operations]]\ninclude-name = "{method.upper()} {path}"\nparameters = {{ {values} }}')
    return "\n\n".join(lines) + "\n"


def name_of(path):
    return re.sub(r"\W+", "_", path.removeprefix("/v1/"))


def group(arguments, base, document, operator, scratch, tag):
    """Runs the cases of a group; whether all is well, how many there were, and what is to be said."""
    slug = re.sub(r"\W+", "-", tag)
    workspace = Caller(base, operator).ask("POST", "/v1/onboarding/workspaces", {"name": tag, "slug": slug})
    caller = Caller(base, workspace["token"])
    made, secret = ({}, "") if tag == "operators" else things(caller, tag)
    token = operator if tag == "operators" else caller.token
    config = scratch / f"{slug}.toml"
    config.write_text(settings(document, tag, token, made))
    operations = [item[method] for item in document["paths"].values() for method in METHODS & set(item) if tag in item[method]["tags"]]
    # What takes nothing is asked once.
    varied = [each for each in operations if "requestBody" in each or "parameters" in each]
    each = math.ceil(arguments.cases / len(varied))
    command = [Path(arguments.schemathesis).resolve(), "--config-file", config, "run", f"{base}/openapi.json", "--include-tag", tag]
    command += ["--checks", "all", "--max-examples", str(each), "--seed", str(arguments.seed), "--workers", "1"]
    command += ["--generation-database", "none", "--no-color", "--request-timeout", "60", "--continue-on-failure"]
    began = time.monotonic()
    environment = os.environ | {"SIGNING_SECRET": secret}
    done = subprocess.run(command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    took = time.monotonic() - began
    found = re.search(r"(\d[\d,]*) generated", done.stdout)
    cases = int(found[1].replace(",", "")) if found else 0
    said = f"{len(operations)} operations, {cases} cases in {took:.0f} s"
    if tag != "operators" and done.returncode == 0:
        caller.ask("GET", "/v1/workflows")
    return done.returncode == 0 and cases > 0, said, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schemathesis")
    parser.add_argument("program")
    parser.add_argument("--cases", type=int, default=int(os.environ.get("SCHEMATHESIS_CASES", "40")), help="about so many fuzzed cases for each group, beside those of examples and coverage")
    parser.add_argument("--only", nargs="*", help="these groups only")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    passed = []
    with local_process(arguments.program) as (base, operator, scratch):
        with urllib.request.urlopen(f"{base}/openapi.json", timeout=60) as answer:
            document = json.load(answer)
        tags = {tag for item in document["paths"].values() for method in METHODS & set(item) for tag in item[method]["tags"]}
        # Side by side: each group has a workspace of its own, and schemathesis takes most of the time.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            chosen = sorted(set(arguments.only or tags))
            results = pool.map(lambda tag: group(arguments, base, document, operator, scratch, tag), chosen)
            for tag, (well, said, output) in zip(chosen, results, strict=True):
                passed.append(well)
                print(f"{'ok' if well else 'FAILED'}: {tag}: {said}", flush=True)
                if not well:
                    print(output[-30000:], flush=True)
        if not all(passed):
            print("--- the end of the process's log", (scratch / "log").read_text(errors="replace")[-3000:], sep="\n")
    print(f"schemathesis: {passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
