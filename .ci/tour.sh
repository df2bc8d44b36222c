#!/usr/bin/env bash
# Runs the tour of README.md word for word against the running platform, as a reader would paste it, and checks what it shows.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^<!-- tour:begin -->/ { tour = 1 } /^<!-- tour:end -->/ { tour = 0 }
     tour && /^```/ { code = /^```sh/ && !code; next }
     tour && code' README.md > "$work/commands"
[ "$(grep -c curl "$work/commands")" -ge 10 ] || { echo 'tour: README.md has lost its commands' >&2; exit 1; }

if ! command -v curl > /dev/null; then
  echo 'tour: there is no curl on this machine; .ci/curl.mjs stands in for it'
  printf '#!/bin/sh\nexec node "%s" "$@"\n' "$PWD/.ci/curl.mjs" > "$work/curl"
  chmod +x "$work/curl"
  PATH="$work:$PATH"
fi

# The reader sees a refusal; here it must also fail. Nothing else is added to the commands.
{ echo 'set -euo pipefail'; echo 'curl() { command curl --fail-with-body --max-time 30 "$@"; }'; cat "$work/commands"; } > "$work/script"
bash "$work/script" < /dev/null 2>&1 | tee "$work/shown"

expect() {
  grep -q -- "$1" "$work/shown" || { echo "tour: nothing shown has $1" >&2; exit 1; }
}
expect '"user_id":"'
expect '"sources":\['
expect '"status":"FILLED"'
expect '"status":"PENDING"'
expect '"status":"CANCELLED"'
expect '"average_price":"'
expect '"asset":"BTC"'
expect '"sequence":1,'
expect '"type":"trade.executed"'
expect '"equity":"'
expect '"service":"gateway"'
echo 'tour: every command of README.md worked'
