"""What cfn-lint cannot know of template.yaml: that its loops make what it names, that its routes are the API's, that the
dashboard's text is JSON, that alarms and dashboard look at metrics that functions write, and that docs/operations.md has each
alarm and each metric, and no command that AWS does not have.

Usage: template_test.py
"""

import json
import re
import sys
from pathlib import Path

import boto3
from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions
from samcli.yamlhelper import yaml_parse

import gateway
from checks import run
from commands import Interpreter, every_command

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "template.yaml").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
# The names in `Metric::name`.
WRITTEN = set(re.findall(r'Self::\w+ => "([a-z_]+)"', (ROOT / "shared/platform/src/metrics.rs").read_text()))
# The most lines of the template that people write.
BY_HAND = 1600


def expanded():
    """The template as CloudFormation sees it after its loops."""
    template = yaml_parse(TEMPLATE)
    defaults = {name: each.get("Default") for name, each in template["Parameters"].items()}
    return expand_language_extensions(template, defaults, enabled=True).expanded_template


def names(node):
    """What a part of the template refers to, parameters and resources; AWS's own names are left out."""
    if isinstance(node, str):
        return set(re.findall(r"\$\{(\w+)[.}]", node))
    if isinstance(node, list):
        return {name for each in node for name in names(each)}
    if not isinstance(node, dict):
        return set()
    match node:
        case {"Ref": str(name)}:
            return set() if name.startswith("AWS::") else {name}
        case {"Fn::GetAtt": [str(name), _]}:
            return {name}
    return {name for each in node.values() for name in names(each)}


def the_loops_make_what_the_template_names():
    template = expanded()
    resources = template["Resources"]
    missing = names([resources, template["Outputs"]]) - set(resources) - set(template["Parameters"])
    assert not missing, f"named, and neither a resource nor a parameter: {sorted(missing)}"
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    assert len(functions) >= 15, len(functions)
    for function in functions:
        group = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert group["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}", (group, function["FunctionName"])


def the_routes_are_those_of_the_document():
    assert TEMPLATE == gateway.renewed(TEMPLATE), "template.yaml has not the routes of docs/openapi.json; write them anew with `just routes`"


def what_people_write_stays_short():
    before, _, after = gateway.split(TEMPLATE)
    lines = (before + after).count("\n")
    assert lines <= BY_HAND, f"{lines} lines without what is generated, and there may be {BY_HAND}"


def dashboard():
    """The dashboard's body, with every reference filled in."""
    lines = TEMPLATE.partition("DashboardBody: !Sub |\n")[2].splitlines()
    body = []
    for line in lines:
        if line.strip() and not line.startswith(" " * 8):
            break
        body.append(line)
    return json.loads(re.sub(r"\$\{[^}]+\}", "filled", "\n".join(body)))


def the_dashboard_is_json_and_shows_what_functions_write():
    widgets = dashboard()["widgets"]
    assert len(widgets) >= 10, len(widgets)
    shown = {metric[1] for each in widgets for metric in each["properties"]["metrics"] if metric[0] == "AgentRuntime"}
    text = json.dumps(widgets)
    shown |= set(re.findall(r'MetricName=\\\\\\"([a-z_]+)', text)) | set(re.findall(r'MetricName=\\"([a-z_]+)', text))
    assert shown == WRITTEN, f"shown and not written, or the other way: {sorted(shown ^ WRITTEN)}"


def alarms_look_at_metrics_that_are_written():
    looked_at = set(re.findall(r"Namespace: AgentRuntime\n\s+MetricName: (\w+)", TEMPLATE))
    assert looked_at and looked_at <= WRITTEN, sorted(looked_at - WRITTEN)


def operators_read_of_every_alarm_and_every_metric():
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", TEMPLATE, re.MULTILINE)
    assert len(alarms) >= 9, alarms
    missing = [name for name in [*alarms, *sorted(WRITTEN)] if f"`{name}`" not in OPERATIONS]
    assert not missing, f"docs/operations.md does not have {missing}"


def operators_run_commands_that_aws_has():
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    interpreter = Interpreter(lambda service: boto3.client(service, **keys))
    commands = every_command()
    assert len(commands) >= 30, len(commands)
    for words in commands:
        try:
            interpreter.check(words)
        except (AssertionError, KeyError, ValueError) as error:
            raise AssertionError(f"aws {' '.join(words)}: {error}") from error


def main():
    works = [
        the_loops_make_what_the_template_names,
        the_routes_are_those_of_the_document,
        what_people_write_stays_short,
        the_dashboard_is_json_and_shows_what_functions_write,
        alarms_look_at_metrics_that_are_written,
        operators_read_of_every_alarm_and_every_metric,
        operators_run_commands_that_aws_has,
    ]
    return run("template", works)


if __name__ == "__main__":
    sys.exit(main())
