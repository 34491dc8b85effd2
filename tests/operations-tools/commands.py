"""The commands of docs/operations.md, run as they stand there: bash runs them, and what they call `aws` is an
interpreter of the AWS CLI's commands in this process, on boto3. It knows services, operations and options from the
models that the CLI has them from, so it refuses what the CLI would refuse; nobody has to install the CLI.
"""

import base64
import contextlib
import json
import os
import re
import shlex
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import jmespath
from botocore import xform_name
from botocore.validate import ParamValidator

OPERATIONS = Path(__file__).resolve().parents[2] / "docs/operations.md"
# In place of what a text leaves to its reader.
UNKNOWN = "·"
# What stands between a command and this process: sends its words, prints the answer, ends with its code.
RELAY = """#!{python} -IS
import json, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    words = [open(each[7:]).read() if each.startswith("file://") else each for each in sys.argv[1:]]
    server.sendall(json.dumps(words).encode() + b"\\n")
    code, text = json.load(server.makefile())
print(text, end="", file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""


def blocks(section):
    """The blocks of shell commands in a section of docs/operations.md, in their order."""
    text = OPERATIONS.read_text()
    start = text.index(f"## {section}\n")
    text = text[start : text.find("\n## ", start)]
    return [re.sub(f"^{indent}", "", body, flags=re.MULTILINE) for indent, body in re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)]


def cut(text):
    """A command at the beginning of a text: up to the end of its line, a pipe or what comes after it, or the bracket that it stands in."""
    quote, depth = None, 0
    for at, each in enumerate(text):
        if quote:
            quote = None if each == quote else quote
        elif each in "'\"":
            quote = each
        elif each in "\n|>;&" or (each == ")" and depth == 0):
            return text[:at]
        else:
            depth += (each == "(") - (each == ")")
    return text


def filled(command):
    """A command's words; what is known only where it runs is a dot."""
    while (less := re.sub(r"\$\([^()]*\)|\$\(\([^()]*\)\)", UNKNOWN, command)) != command:
        command = less
    return shlex.split(re.sub(r"\$\w+|\$\{\w+:\?\}|file://\S+", UNKNOWN, command))


def every_command():
    """The words of each command of the AWS CLI that docs/operations.md has, in blocks and in its sentences."""
    text = re.sub(r"<[a-z ]+>", UNKNOWN, OPERATIONS.read_text())
    in_blocks = "".join(re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)).replace("\\\n", " ")
    found = [cut(in_blocks[match.start() :]) for match in re.finditer(r"\baws (?=[a-z])", in_blocks)]
    sentences = re.sub(r"^ *```sh\n.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found += [" ".join(each.split()) for each in re.findall(r"`(aws [a-z][^`]+)`", sentences)]
    return [filled(command)[1:] for command in found]


def shorthand(shape, text):
    """`A=1,B=2` as a structure."""
    members = dict(part.split("=", 1) for part in text.split(","))
    return {name: value(shape.members[name], text) for name, text in members.items()}


def decoded(shape, found):
    """What JSON says, with the bytes that stand in it as base64."""
    if shape.type_name == "blob":
        return base64.b64decode(found)
    if shape.type_name == "structure":
        return {name: decoded(shape.members[name], each) for name, each in found.items()}
    if shape.type_name == "map":
        return {name: decoded(shape.value, each) for name, each in found.items()}
    return [decoded(shape.member, each) for each in found] if shape.type_name == "list" else found


def value(shape, text):
    """What an option's text means, for a member of this shape; a text with something unknown in it, nothing."""
    if UNKNOWN in text:
        return None
    if shape.type_name in ("structure", "map", "list") and text[:1] in "{[":
        return decoded(shape, json.loads(text))
    if shape.type_name == "structure":
        return shorthand(shape, text)
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[text.lower()]
    return int(text) if shape.type_name in ("integer", "long") else text


def options(shape, words):
    """The options of an operation as its parameters, and those of the CLI itself."""
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    found, own = {}, {"query": None, "output": "json"}
    while words:
        option, *words = words
        assert option.startswith("--"), f"{option!r} is no option"
        name, values = option[2:], []
        while words and not words[0].startswith("--"):
            values.append(words.pop(0))
        if name in own:
            (own[name],) = values
            continue
        negated = name not in members and name.startswith("no-")
        assert (name := name.removeprefix("no-") if negated else name) in members, f"there is no option {option}"
        member = shape.members[members[name]]
        if member.type_name == "boolean":
            assert not values, f"{option} takes no value"
            found[members[name]] = not negated
        elif member.type_name == "list" and not (len(values) == 1 and values[0].startswith(("[", "{"))):
            found[members[name]] = [value(member.member, each) for each in values]
        else:
            (text,) = values
            found[members[name]] = value(member, text)
    return found, own


def as_text(found):
    """As the CLI's `--output text` prints it."""
    if isinstance(found, list):
        flat = all(not isinstance(each, list) for each in found)
        return "\t".join(map(as_text, found)) if flat else "\n".join(map(as_text, found))
    assert not isinstance(found, dict), "say with --query what is to be printed as text"
    return str(found)


def printed(found, own):
    found.pop("ResponseMetadata", None)
    if own["query"]:
        found = jmespath.search(own["query"], found)
    if own["output"] == "text":
        return as_text(found) + "\n"
    return json.dumps(found, default=lambda each: base64.b64encode(each).decode() if isinstance(each, bytes) else str(each), indent=1) + "\n"


class Interpreter:
    """`aws …`, with clients that `client(service)` makes."""

    def __init__(self, client):
        self.make, self.clients = client, {}

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = self.make(service)
        return self.clients[service]

    def parsed(self, words):
        """The client, the method's name, its parameters and the CLI's own options; none of it is called."""
        service, operation, *words = words
        client = self.client(service)
        methods = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
        assert operation in methods, f"{service} has no operation {operation}"
        name = methods[operation]
        parameters, own = options(client.meta.service_model.operation_model(name).input_shape, words)
        return client, xform_name(name), parameters, own

    def awaited(self, service, waiter, *words):
        """The waiter of `aws <service> wait …`, and its parameters."""
        client = self.client(service)
        name = waiter.replace("-", "_")
        assert name in client.waiter_names, f"{service} does not wait for {waiter}"
        waiter = client.get_waiter(name)
        shape = client.meta.service_model.operation_model(waiter.config.operation).input_shape
        return waiter, options(shape, list(words))[0]

    def check(self, words):
        """Fails when the CLI would not send this."""
        if words[1] == "wait":
            self.awaited(words[0], *words[2:])
            return
        client, method, parameters, _ = self.parsed(words)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
        missing = set(shape.required_members if shape else ()) - set(parameters)
        assert not missing, f"needs {sorted(missing)}"
        for name, given in parameters.items():
            if given is not None and given != [None]:
                report = ParamValidator().validate(given, shape.members[name])
                assert not report.has_errors(), f"{name}: {report.generate_report()}"

    def run(self, words):
        """What the command prints."""
        if words[1] == "wait":
            waiter, parameters = self.awaited(words[0], *words[2:])
            waiter.wait(**parameters)
            return ""
        client, method, parameters, own = self.parsed(words)
        if client.can_paginate(method):
            found = client.get_paginator(method).paginate(**parameters).build_full_result()
        else:
            found = getattr(client, method)(**parameters)
        return printed(found, own)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        words = json.loads(self.rfile.readline())
        try:
            answer = [0, self.server.interpreter.run(words)]
        except Exception as error:
            answer = [254, f"aws {' '.join(words)}: {type(error).__name__}: {error}\n"]
        self.wfile.write(json.dumps(answer).encode())


class Shell:
    """Runs blocks of commands one after the other, in a directory of its own; a block sees what those before have set."""

    def __init__(self, home):
        self.home, self.names = Path(home), set()
        (self.home / "variables").touch()
        (self.home / "aws").write_text(RELAY.format(python=sys.executable, path=f"{home}/socket"))
        (self.home / "aws").chmod(0o755)

    def run(self, block):
        """What the block prints; raises when a command of it fails."""
        self.names.update(re.findall(r"^(\w+)=", block, re.MULTILINE))
        script = f"set -eu\n. ./variables\n{block}\ndeclare -p {' '.join(sorted(self.names))} > variables\n"
        environment = {"PATH": f"{self.home}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", script], cwd=self.home, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{block}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


@contextlib.contextmanager
def shell(client):
    """A shell's `run`; what it calls `aws` uses clients that `client(service)` makes."""
    with tempfile.TemporaryDirectory(prefix="commands-") as home:
        with socketserver.ThreadingUnixStreamServer(f"{home}/socket", Handler) as server:
            server.daemon_threads, server.interpreter = True, Interpreter(client)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield Shell(home).run
            finally:
                server.shutdown()
