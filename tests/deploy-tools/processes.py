"""The processes a deploy test starts: the AWS emulator, and functions behind cargo-lambda's runtime API.

Everything listens on loopback, on ports that were free a moment ago, and ends with its `with` block. Nothing
here can reach an AWS account: the environment names the emulator, made-up credentials and no profile.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

REGION = "us-east-1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30):
    """The first truthy value of `condition()`; raises when there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"{what}: not within {seconds} s")


@contextlib.contextmanager
def process(command, log, **options):
    """A process for the length of a block, its output in the file `log`."""
    with open(log, "ab") as output:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def aws_environment(endpoint):
    """This process's environment, less every AWS setting of the user's, pointed at the emulator."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return plain | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


@contextlib.contextmanager
def emulator(program, scratch):
    """MiniStack on a port of its own; gives its endpoint. It runs the functions' own bootstraps."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    temporary = Path(scratch, "emulator")
    temporary.mkdir()
    environment = aws_environment(endpoint) | {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(temporary),
    }
    # A fixed level here would reach the functions, which have one of their own.
    environment.pop("LOG_LEVEL", None)
    with process([program], Path(scratch, "emulator.log"), env=environment) as running:
        wait_for("the emulator's health", lambda: running.poll() is not None or answers(f"{endpoint}/_ministack/health"))
        if running.poll() is not None:
            raise RuntimeError(f"the emulator ended with {running.returncode}")
        yield endpoint


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Runtime:
    """cargo-lambda's Lambda runtime API, and the functions started behind it."""

    def __init__(self, stack, scratch, port):
        self.stack, self.scratch, self.port = stack, scratch, port

    def start(self, name, bootstrap, environment):
        """A function, waiting for its events until the runtime ends."""
        own = environment | {
            "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{self.port}/.rt/{name}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
        self.stack.enter_context(process([bootstrap], Path(self.scratch, f"{name}.log"), env=own))

    def invoke(self, name, event):
        """What `cargo lambda invoke --data-file` prints, read as JSON."""
        data = Path(self.scratch, f"{name}.event.json")
        data.write_text(json.dumps(event))
        command = ["cargo", "lambda", "invoke", name, "--data-file", str(data)]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"cargo lambda invoke {name}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


@contextlib.contextmanager
def runtime(scratch):
    """A `Runtime`; the functions end before it does."""
    port = free_port()
    command = [shutil.which("cargo-lambda"), "lambda", "watch", "--only-lambda-apis"]
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    with process(command, Path(scratch, "runtime.log")) as running, contextlib.ExitStack() as functions:
        wait_for("cargo-lambda's port", lambda: running.poll() is not None or listening(port))
        if running.poll() is not None:
            raise RuntimeError(f"cargo lambda watch ended with {running.returncode}")
        yield Runtime(functions, scratch, port)


def listening(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
