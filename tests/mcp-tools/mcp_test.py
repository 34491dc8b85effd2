"""Holds the MCP server of the local process against what others wrote to test MCP servers.

The conformance suite runs every scenario for servers; those that do not apply stand with their reasons in
expected-failures.yml. The inspector's command line lists the tools and builds, publishes and runs a workflow with
them, in both eras of the protocol. The suite cannot send a token, so a gate adds it to what passes.

Usage: mcp_test.py <node_modules> <the local process>
"""

import http.client
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
EXPECTED = HERE / "expected-failures.yml"
# From "nothing is known of this machine": Node.js starts in seconds even where everything else is slow.
PATIENCE = 600
GRAPH = {"steps": [{"id": "add", "type": "lua_script", "script": "return { sum = input.a + input.b }"}]}


@contextmanager
def local_process(program):
    """The product on empty data: its address and the token of its first workspace."""
    with tempfile.TemporaryDirectory(prefix="agentruntime-mcp-") as scratch:
        arguments = [program, "--port", "0", "--data-dir", f"{scratch}/data"]
        # What it logs of requests that do not apply is of no interest.
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            base = process.stdout.readline().strip()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield base, json.loads(Path(scratch, "data", "credentials.json").read_text())["token"]
        finally:
            process.terminate()
            process.wait()


class Quiet(ThreadingHTTPServer):
    """A server whose callers may hang up, which those of the suite do."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def gate(base, token):
    """The address of a gate that passes everything on, with the token and nothing else changed."""
    upstream = urlsplit(base)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            onward = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=PATIENCE)
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    onward.putheader(name, value)
            onward.putheader("Content-Length", str(len(body)))
            onward.putheader("Authorization", f"Bearer {token}")
            onward.endheaders(body)
            found = onward.getresponse()
            answer = found.read()
            self.send_response_only(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            onward.close()

        do_GET = do_POST = do_DELETE = do_OPTIONS = pass_on

        def log_message(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


class Tools:
    """The programs of node_modules, on the Node.js that stands beside them."""

    def __init__(self, modules):
        self.modules = Path(modules).resolve()
        machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
        self.node = self.modules / f"node-linux-{machine}" / "bin" / "node"

    def run(self, script, *arguments):
        """Exit code, output and errors of a program."""
        with tempfile.TemporaryDirectory(prefix="agentruntime-home-") as home:
            # The inspector keeps a catalogue in the home directory and asks a desktop for its keyring.
            environment = {"PATH": os.environ["PATH"], "HOME": home, "NO_COLOR": "1", "TZ": "UTC"}
            command = [self.node, self.modules / script, *arguments]
            done = subprocess.run(
                command, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
            )
        return done.returncode, done.stdout, done.stderr

    def conformance(self, *arguments):
        return self.run("@modelcontextprotocol/conformance/dist/index.js", *arguments)

    def inspect(self, url, *arguments):
        launcher = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        return self.run(launcher, "--cli", "--server-url", f"{url}/mcp", "--transport", "http", *arguments)


def reasons():
    """Why each scenario of expected-failures.yml does not apply."""
    found = {}
    for line in EXPECTED.read_text().splitlines():
        if line.startswith("#") or line == "server:":
            continue
        entry = re.fullmatch(r"  - ([a-z0-9-]+) # (\S.*\.)", line)
        assert entry, f"{EXPECTED.name}: {line!r} is no scenario with its reason"
        assert entry[1] not in found, f"{EXPECTED.name}: {entry[1]} stands there twice"
        found[entry[1]] = entry[2]
    return found


def conformance(tools, url):
    """Runs every scenario for servers; yields name, whether it is well, and what is to be said of it."""
    _, listed, _ = tools.conformance("list", "--server")
    names = re.findall(r"^  - (\S+) \[", listed.partition("Client scenarios")[0], re.MULTILINE)
    assert len(names) >= 30, f"the suite lists {names}"
    exempt = reasons()
    for name in sorted(set(exempt) - set(names)):
        yield name, False, f"stands in {EXPECTED.name}, and the suite does not have it"
    for name in names:
        code, output, errors = tools.conformance("server", "--url", f"{url}/mcp", "--scenario", name)
        if name not in exempt:
            yield name, code == 0, "" if code == 0 else f"\n{output[-4000:]}{errors[-2000:]}"
        elif code == 0:
            yield name, False, f"passes although it stands in {EXPECTED.name}"
        else:
            print(f"does not apply: {name}: {exempt[name]}", flush=True)


def inspector(tools, base, token, era):
    """Lists the tools and makes a workflow of them; yields as above."""
    bearer = ("--header", f"Authorization: Bearer {token}", "--protocol-era", era, "--format", "json")

    def asked(*arguments):
        code, output, errors = tools.inspect(base, *bearer, *arguments)
        assert code == 0, f"ended with {code}:\n{output[-3000:]}{errors[-3000:]}"
        answer = json.loads(output)
        return answer.get("result", answer)

    def call(name, /, **arguments):
        result = asked("--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))
        assert not result.get("isError"), result
        return result["structuredContent"]

    def lists_portable_tools():
        names = [tool["name"] for tool in asked("--method", "tools/list", "--strict")["tools"]]
        assert "workflows_execute_command" in names and "ar_get_started" in names, names

    def builds_and_runs_a_workflow():
        workflow = call("workflows_create", name=f"sum-{era}", graph=GRAPH)["id"]
        assert call("workflows_validate", workflow_id=workflow)["valid"] is True
        call("workflows_publish_version", workflow_id=workflow)
        start = {"workflow_id": workflow, "command": "start", "params": {"a": 1, "b": 2}, "wait_s": 20}
        done = call("workflows_execute_command", **start)
        assert done["outputs"] == {"add": {"sum": 3}}, done
        of_run = {"workflow_id": workflow, "run_id": done["run_id"]}
        assert call("runs_get_summary", **of_run)["run_complete"] is True
        assert call("ar_health_summary")["status"] == "ok"

    def shows_what_a_tool_refuses():
        missing = ("--tool-args-json", json.dumps({"workflow_id": "0199c1f0-5a00-7000-8000-00000000000a"}))
        code, output, errors = tools.inspect(base, *bearer, "--method", "tools/call", "--tool-name", "workflows_get", *missing)
        assert code != 0 and "NOT_FOUND" in output + errors, f"ended with {code}:\n{output}{errors}"

    def needs_a_token():
        code, output, errors = tools.inspect(base, "--stored-auth-only", "--protocol-era", era, "--method", "tools/list")
        assert code != 0 and "workflows_list" not in output, f"ended with {code}:\n{output}{errors}"

    for work in lists_portable_tools, builds_and_runs_a_workflow, shows_what_a_tool_refuses, needs_a_token:
        name = f"inspector ({era}) {work.__name__.replace('_', ' ')}"
        try:
            work()
        except (AssertionError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
            yield name, False, f"\n{type(error).__name__}: {error}"
        else:
            yield name, True, ""


def main(modules, program):
    tools, passed = Tools(modules), []
    with local_process(program) as (base, token), gate(base, token) as open_url:
        checks = [conformance(tools, open_url)]
        checks += [inspector(tools, base, token, era) for era in ("legacy", "modern")]
        for name, well, said in (each for check in checks for each in check):
            passed.append(well)
            print(f"{'ok' if well else 'FAILED'}: {name} {said}".rstrip(), flush=True)
    print(f"mcp: {passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
