# `just` lists the recipes.

_default:
    @just --list --unsorted

# The whole product as one process on port 8787; arguments as in `just start --port 0 --ephemeral`.
start *arguments:
    cargo run --release -p local -- {{ arguments }}

# Everything that CI runs; `just test lint tests` for some sections of it.
test *sections:
    ./test.sh {{ sections }}

# Format, clippy, licences, unused dependencies.
lint:
    ./test.sh lint dependencies

# Formats the code.
fmt:
    cargo fmt --all

# Known vulnerabilities in dependencies; needs GitHub.
advisories:
    PATH="$PWD/.tools/venv/bin:$PATH" cargo deny check advisories

# Requests per step, latency, throughput, memory and start-up time of the local process.
bench *arguments:
    cargo bench -p it -- {{ arguments }}

# The OpenAPI document, from the local process that `just start` started.
openapi:
    curl --fail --silent --show-error http://127.0.0.1:8787/openapi.json
