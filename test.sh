#!/usr/bin/env bash
# Everything that has to hold before a change lands. Works on a fresh Debian or Ubuntu machine with Rust:
# Debian packages that are missing are installed with apt-get, the other tools go to .tools/.
#
# Usage: ./test.sh [section …]
# Sections, in their order: lint dependencies tests template deploy. Without any, all of them.
set -euo pipefail
cd "$(dirname "$0")"

readonly TOOLS=$PWD/.tools
readonly MACHETE=0.9.2
readonly ALL=(lint dependencies tests template deploy)
export AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

section="start"
passed=0 failed=0 skipped=0

heading() {
  section=$1
  printf '\n== %s (at %d min %02d s)\n\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

# The last line tells how many tests ran, also after a failure.
finish() {
  local code=$?
  trap - EXIT
  if ((code != 0)); then printf '\n== failed in: %s\n' "$section"; fi
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  exit "$code"
}
# Adds what a log's closing lines say to the totals: cargo's `test result: …`, or `name: N passed, N failed`.
count() {
  local sums p f s
  sums=$(sed -nE \
    -e 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored.*/\1 \2 \3/p' \
    -e 's/^[a-z]+: ([0-9]+) passed, ([0-9]+) failed$/\1 \2 0/p' "$1" |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
  read -r p f s <<<"$sums"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# Runs a command, shows its output and counts its tests.
counted() {
  local log code=0
  log=$(mktemp)
  "$@" 2>&1 | tee "$log" || code=$?
  count "$log"
  rm -f "$log"
  return "$code"
}

packages() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v c++ >/dev/null || missing+=(g++)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
  ((${#missing[@]} == 0)) && return
  echo "installing ${missing[*]}"
  local root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

# venv DIRECTORY REQUIREMENTS: a Python environment with just these packages, made anew when they change.
venv() {
  [[ -f $1/requirements.txt ]] && cmp -s "$1/requirements.txt" "$2" && return
  echo "installing $2"
  rm -rf "$1"
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
  cp "$2" "$1/requirements.txt"
}

tools() {
  heading tools
  packages
  local component
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}"
  done
  venv "$TOOLS/venv" tests/requirements.txt
  venv "$TOOLS/emulator" tests/deploy-tools/requirements.txt
  # Nobody packages this one. Unoptimised it builds in a third of the time and is fast enough.
  if [[ $("$TOOLS/cargo/bin/cargo-machete" --version 2>/dev/null) != "$MACHETE" ]]; then
    echo "installing cargo-machete $MACHETE"
    cargo install --quiet --debug --locked --root "$TOOLS/cargo" --version "$MACHETE" cargo-machete
  fi
  export PATH=$TOOLS/venv/bin:$TOOLS/cargo/bin:$PATH
}

lint() {
  heading "format"
  cargo fmt --all --check
  heading "clippy"
  cargo clippy --locked --workspace --all-targets -- -D warnings
}

dependencies() {
  heading "cargo deny"
  # Advisories need their database from GitHub, which not every machine reaches: `just advisories`.
  cargo deny --locked check --hide-inclusion-graph bans licenses sources
  heading "cargo machete"
  cargo machete
}

tests() {
  heading "tests"
  counted cargo test --locked --workspace --no-fail-fast
}

template() {
  heading "template"
  cfn-lint --template template.yaml
  sam validate --lint
}

deploy() {
  heading "deploy onto an emulator, and sample events"
  counted python3 -u tests/deploy-tools/deploy_test.py "$TOOLS/emulator/bin/ministack"
}

(($# > 0)) || set -- "${ALL[@]}"
for each in "$@"; do
  [[ " ${ALL[*]} " == *" $each "* ]] || { echo "no section $each; there are: ${ALL[*]}"; exit 2; }
done
trap finish EXIT
tools
for each in "$@"; do "$each"; done
heading "all well: $*"
