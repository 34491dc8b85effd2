#!/usr/bin/env bash
# Runs the tests that touch the store on Amazon's DynamoDB Local, unpacked in the directory $1. `test.sh` calls
# it in a network namespace of its own, because that server listens on all interfaces and has no option for it.
set -euo pipefail

python3 - <<'UP'
# The loopback interface of a new namespace is down (SIOCSIFFLAGS: IFF_UP | IFF_RUNNING).
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    try:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
    except PermissionError:
        pass  # Not in a namespace: then it is up.
UP
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp)
java -Djava.library.path="$1/DynamoDBLocal_lib" -jar "$1/DynamoDBLocal.jar" \
  -port "$port" -inMemory -sharedDb -disableTelemetry </dev/null >"$log" 2>&1 &
server=$!
finish() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  rm -f "$log"
}
trap finish EXIT

# Whether an HTTP server answers on the port.
answers() (
  exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
  printf 'GET / HTTP/1.0\r\n\r\n' >&3
  read -r -t 5 line <&3 && [[ $line == HTTP/* ]]
)
end=$((SECONDS + 60))
until answers; do
  if ! kill -0 "$server" 2>/dev/null || ((SECONDS > end)); then
    echo "DynamoDB Local does not start:"
    cat "$log"
    exit 1
  fi
  sleep 0.2
done

TEST_DYNAMODB_URL=http://127.0.0.1:$port cargo test --locked --offline --workspace --test it -- \
  workflows:: versions:: runs:: run_reads:: starts:: stop::a_stop_in_one_process isolation:: engine:: lua_steps:: \
  idempotency:: webhooks:: webhook_faults:: connections:: members:: pats:: billing_ledger:: billing_plans:: audit:: \
  triggers:: trigger_runs:: trigger_faults:: store_rows:: \
  crash_replay::a_chain crash_replay::a_run_whose the_template_makes_the_table_that_the_code_expects
