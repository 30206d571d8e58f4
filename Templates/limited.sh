# SECONDS COMMAND...: runs it, kills it at the limit.
vpower_limited() {
    vpower_seconds=$1
    shift
    "$@" &
    vpower_job=$!
    (
        trap 'kill -9 "$!"; exit 0' TERM
        sleep "$vpower_seconds" &
        wait "$!"
        kill -9 "$vpower_job"
    ) >/dev/null 2>&1 &
    vpower_watchdog=$!
    wait "$vpower_job"
    vpower_status=$?
    kill "$vpower_watchdog" 2>/dev/null
    wait "$vpower_watchdog" 2>/dev/null
    return "$vpower_status"
}
