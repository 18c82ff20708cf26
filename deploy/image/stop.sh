#!/bin/sh
# ModelMesh's preStop hook: `stop.sh` asks the instance to end, `stop.sh wait` also waits until it has.
set -eu

instances() {
    for process in /proc/[0-9]*; do
        if tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -q 'remesh instance'; then
            echo "${process#/proc/}"
        fi
    done
}

pids=$(instances)
[ -n "$pids" ] || exit 0
# shellcheck disable=SC2086 # one word a pid
kill -TERM $pids 2>/dev/null || true
if [ "${1:-}" = wait ]; then
    while [ -n "$(instances)" ]; do
        sleep 0.2
    done
fi
