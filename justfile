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

# Writes docs/openapi.json anew from the code; a test fails while it is not what the code says.
openapi:
    UPDATE_OPENAPI=1 cargo test -p it --test it openapi
