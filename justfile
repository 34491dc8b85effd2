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
    cargo run --release -p it --bin bench -- {{ arguments }}

# Writes docs/openapi.json anew from the code, and the template's routes; a test fails while it is not what the code says.
openapi: && routes
    UPDATE_OPENAPI=1 cargo test --workspace --test it openapi

# Writes the routes of template.yaml anew from docs/openapi.json; a test fails while they are not what it says.
routes:
    python3 tests/operations-tools/gateway.py

# So many cases for each group of endpoints, made from the OpenAPI document.
schemathesis cases="1000":
    SCHEMATHESIS_CASES={{ cases }} ./test.sh schemathesis

# Sends a stack's dead letters to its workers again; `just redrive agentruntime-prod --only-count` counts them.
redrive stack *arguments:
    .tools/venv/bin/python operations/redrive.py {{ stack }} {{ arguments }}

# Start-up, size and memory of the functions, which this builds as `sam build` does: from below functions/, whose
# .cargo/config.toml says how.
bench-functions:
    cd functions/onboarding && PATH="$PWD/../../.tools/venv/bin:$PATH" cargo lambda build --release $(ls .. | sed 's/^/-p /')
    cargo run --release -p it --bin bench -- --only functions

# The local process beside Restate, by turns, with the same work; installs Restate from npm.
bench-restate program="target/release/local":
    mkdir -p .tools/restate && cp tests/restate-tools/package.json .tools/restate/
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix .tools/restate
    node tests/restate-tools/compare.mjs {{ program }} .tools/restate/node_modules
