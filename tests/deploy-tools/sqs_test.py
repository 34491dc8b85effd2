"""Runs the tests of queues on the emulator's SQS.

Usage, from the root of the repository: sqs_test.py <path of the ministack program>
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import emulator

TESTS = ["cargo", "test", "--locked", "--workspace", "--test", "sqs"]


def main(program):
    with tempfile.TemporaryDirectory() as scratch, emulator(program, scratch) as endpoint:
        done = subprocess.run(TESTS, env=os.environ | {"TEST_SQS_URL": endpoint})
        if done.returncode != 0:
            print(Path(scratch, "emulator.log").read_text()[-4000:])
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
