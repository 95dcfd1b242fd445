#!/bin/sh
# Asks a running server everything that its own /openapi.json allows, and much that it does not (schemathesis).
# Fails on a 5xx, an answer that is not documented, a body that is not as documented, or input that should have been
# refused and was not.
#
# CLOAKROOM_BIN            the server's binary
# CLOAKROOM_SCHEMATHESIS   the folder with the program schemathesis (4.x)
# CLOAKROOM_SEED           another seed than 7
# CLOAKROOM_CONTRACT_SECONDS  longer than 150 s
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${CLOAKROOM_BIN:?the server binary}" "${CLOAKROOM_SCHEMATHESIS:?the bin folder of a Python environment with schemathesis 4}"
case $CLOAKROOM_BIN in /*) binary=$CLOAKROOM_BIN ;; *) binary=$PWD/$CLOAKROOM_BIN ;; esac
tools=$CLOAKROOM_SCHEMATHESIS seed=${CLOAKROOM_SEED:-7} limit=${CLOAKROOM_CONTRACT_SECONDS:-150}
# To the server these would be unknown settings.
unset CLOAKROOM_BIN CLOAKROOM_SCHEMATHESIS CLOAKROOM_SEED CLOAKROOM_CONTRACT_SECONDS

work=$(mktemp -d)
server=
finish() {
    status=$?
    trap - EXIT
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" || :; fi
    [ "$status" -eq 0 ] || tail -n 20 "$work/log" >&2 || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

cd "$work"
# Passwords are hashed at the lowest cost that is taken: the run is about the API.
CLOAKROOM_BOOTSTRAP__API_KEY_FILE=$work/key CLOAKROOM_ARGON2__MEMORY=8MiB CLOAKROOM_ARGON2__ITERATIONS=1 \
    "$binary" serve --listen 127.0.0.1:0 >out 2>log &
server=$!
address=
for _ in $(seq 300); do
    address=$(sed -n 's/^ *listening on *\(http:[^ ]*\).*/\1/p' out | head -n 1)
    [ -n "$address" ] && break
    kill -0 "$server" || exit 1
    sleep 0.1
done
[ -n "$address" ] || { echo "the server did not start" >&2; exit 1; }

CLOAKROOM_KEY=$(cat key) timeout --kill-after=10 "$limit" \
    "$tools/schemathesis" --config-file "$here/schemathesis.toml" \
    run "$address/openapi.json" --url "$address" --seed "$seed"

kill -0 "$server" || { echo "the server is gone" >&2; exit 1; }
# With a key that was lost on the way every answer would be a well-documented 401.
"$binary" session list --server "$address" --api-key-file key --json >sessions || exit 1
if grep -q "a task panicked" log; then echo "a task panicked" >&2; exit 1; fi
