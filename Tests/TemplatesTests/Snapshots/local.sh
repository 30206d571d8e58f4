# >>> vpower boot script
# Starts this host's guests after a power cut. Written by vpower, which replaces it: do not edit.
# One function, called on the last line: a file that was cut short runs nothing. ESXi's BusyBox
# has no tr, nc, ps, flock, and its `timeout` changed its syntax, so none is used.
# The quoted words are names and paths that must not be expanded.
# A host without guests calls less than half of it.
# shellcheck disable=SC1003,SC2016,SC2028,SC2317
vpower_boot() {
    (
        # local.sh must end at once, and its end must not end this.
        trap '' HUP INT
        PATH=/bin:/sbin:/usr/bin:/usr/sbin
        LC_ALL=C
        export PATH LC_ALL
        vpower_lf=$(printf '\n_')
        vpower_lf=${vpower_lf%_}
        vpower_host='esx1.example.org'
        vpower_run='2026-11-21-7f3a'
        vpower_armed='1790000000'
        vpower_expires='1790604800'
        vpower_leave_maintenance='true'
        vpower_waits_for_vcsa='true'
        vpower_start_gap='5'
        vpower_after_vcsa='300'
        vpower_hostd_limit='900'
        vpower_datastore_limit='900'
        vpower_guest_limit='300'
        vpower_log_limit='65536'
        vpower_base=/tmp/vpower-boot
        vpower_out=$vpower_base.out
        # Seconds: between two looks; for one vim-cmd or esxcli; for one power.on (a pending
        # question blocks it for ever) or rescan; for logger; at most between two tries.
        vpower_poll=2
        vpower_call_limit=45
        vpower_long_limit=120
        vpower_logger_limit=5
        vpower_pause_limit=30
        # At most so many ids are asked whether they are the one that is looked for.
        vpower_candidate_limit=20
        vpower_started=0
        vpower_failed=''
        vpower_gap=0
        vpower_waited=0
        vpower_last=0

        # SECONDS COMMAND...: runs it, kills it at the limit.
        vpower_limited() {
            vpower_seconds=$1
            shift
            "$@" &
            vpower_job=$!
            (
                vpower_sleep=''
                trap '[ -z "$vpower_sleep" ] || kill "$vpower_sleep"; exit 0' TERM
                sleep "$vpower_seconds" &
                vpower_sleep=$!
                wait "$vpower_sleep"
                kill -9 "$vpower_job"
            ) >/dev/null 2>&1 &
            vpower_watchdog=$!
            wait "$vpower_job"
            vpower_status=$?
            kill "$vpower_watchdog" 2>/dev/null
            wait "$vpower_watchdog" 2>/dev/null
            return "$vpower_status"
        }

        vpower_log() {
            vpower_size=$(wc -c 2>/dev/null <"$vpower_base.log")
            if [ "${vpower_size:-0}" -gt "$vpower_log_limit" ]; then
                mv -f "$vpower_base.log" "$vpower_base.log.1"
            fi
            printf '%s %s\n' "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$1" >>"$vpower_base.log"
            vpower_limited "$vpower_logger_limit" logger -t vpower "boot script: $1"
        }

        # STATE: written beside and moved, so that a reader never sees half of it.
        vpower_report() {
            {
                printf 'vpower-boot 1\nrun %s\nstate %s\n' "$vpower_run" "$1"
                printf 'started %s\n%send\n' "$vpower_started" "$vpower_failed"
            } >"$vpower_base.state.new" && mv -f "$vpower_base.state.new" "$vpower_base.state"
        }

        # Limits are counted in small differences of the clock, as it may be set meanwhile.
        vpower_begin() {
            vpower_waited=0
            vpower_last=$(date +%s)
        }

        # SECONDS LIMIT: sleeps; false when the limit is spent.
        vpower_pause() {
            sleep "$1"
            vpower_now=$(date +%s)
            vpower_step=$((vpower_now - vpower_last))
            if [ "$vpower_step" -lt "$1" ] || [ "$vpower_step" -gt 600 ]; then
                vpower_step=$1
            fi
            [ "$vpower_step" -gt 0 ] || vpower_step=1
            vpower_last=$vpower_now
            vpower_waited=$((vpower_waited + vpower_step))
            [ "$vpower_waited" -lt "$2" ]
        }

        vpower_vim() {
            vpower_limited "$vpower_call_limit" vim-cmd "$@" >"$vpower_out" 2>/dev/null
        }

        # By the answer, not by the exit status.
        vpower_hostd_ready() {
            vpower_vim hostsvc/runtimeinfo
            grep -q 'inMaintenanceMode = ' "$vpower_out"
        }

        vpower_wait_for_hostd() {
            vpower_begin
            until vpower_hostd_ready; do
                vpower_pause "$vpower_poll" "$vpower_hostd_limit" || return 1
            done
        }

        # False when the host stays in maintenance mode: no guest can start then. No answer is
        # not taken for "not in it".
        vpower_leave() {
            vpower_begin
            until vpower_hostd_ready && grep -q 'inMaintenanceMode = false' "$vpower_out"; do
                if grep -q 'inMaintenanceMode = true' "$vpower_out"; then
                    if [ "$vpower_leave_maintenance" != true ]; then
                        vpower_log 'the host is in maintenance mode, and not by vpower: it stays so'
                        return 1
                    fi
                    vpower_log 'leaving maintenance mode'
                    vpower_vim hostsvc/maintenance_mode_exit
                fi
                vpower_pause "$vpower_poll" "$vpower_hostd_limit" || return 1
            done
        }

        # NAME: whether the volume of this name is mounted. The name may hold blanks; after it
        # come its UUID and whether it is mounted.
        vpower_mounted() {
            VPOWER_NAME=$1 awk '
                {
                    rest = $0
                    sub(/^[^ ]+ +/, "", rest)
                    name = ENVIRON["VPOWER_NAME"]
                    tail = substr(rest, length(name) + 1)
                    if (substr(rest, 1, length(name)) == name && tail ~ /^ +[^ ]+ +true( |$)/)
                        found = 1
                }
                END { exit !found }
            ' "$vpower_out"
        }

        # NAME...: waits until all are mounted.
        vpower_wait_for_datastores() {
            vpower_begin
            while :; do
                vpower_limited "$vpower_call_limit" esxcli storage filesystem list \
                    >"$vpower_out" 2>/dev/null
                vpower_missing=0
                for vpower_name in "$@"; do
                    vpower_mounted "$vpower_name" || vpower_missing=$((vpower_missing + 1))
                done
                [ "$vpower_missing" -gt 0 ] || return 0
                vpower_pause "$vpower_poll" "$vpower_datastore_limit" || break
            done
            vpower_log "$vpower_missing datastores are still missing: going on without them"
        }

        # VMX: ids that getallvms may show for it. A line of an annotation can look like a row,
        # and a line break in a name can break one; so these are only candidates.
        vpower_candidates() {
            VPOWER_VMX=$1 awk -v limit="$vpower_candidate_limit" '
                !/^[0-9]+   / { next }
                index($0, "   " ENVIRON["VPOWER_VMX"] "   ") {
                    if (sure++ < limit) print $1
                    next
                }
                !/\.vmt?x +[^ ]+ +vmx-[0-9]+( |$)/ { if (count < limit) doubtful[count++] = $1 }
                END { if (!sure) for (i = 0; i < count; i++) print doubtful[i] }
            ' "$vpower_out"
        }

        # VMX: whether the summary just read is that of this file, and of nothing else.
        vpower_confirmed() {
            VPOWER_VMX=$1 awk '
                {
                    line = $0
                    sub(/^ +/, "", line)
                    sub(/,? *\r?$/, "", line)
                    if (index(line, "vmPathName = ") != 1) next
                    seen++
                    if (line == "vmPathName = \"" ENVIRON["VPOWER_VMX"] "\"") right++
                }
                END { exit !(seen == 1 && right == 1) }
            ' "$vpower_out"
        }

        # VMX: its id on this host now, in vpower_id. Ids change when a guest is registered anew.
        vpower_find() {
            vpower_id=''
            vpower_vim vmsvc/getallvms
            for vpower_candidate in $(vpower_candidates "$1"); do
                vpower_vim vmsvc/get.summary "$vpower_candidate"
                if vpower_confirmed "$1"; then
                    vpower_id=$vpower_candidate
                    return 0
                fi
            done
            return 1
        }

        vpower_is_on() {
            vpower_vim vmsvc/power.getstate "$1"
            grep -q '^Powered on' "$vpower_out"
        }

        # NAME VMX: starts it, or resumes a suspended one, and looks. What power.on says is not
        # asked: it reports failure for a guest that is on, and success for one that is not.
        vpower_start() {
            vpower_begin
            vpower_pause_now=$vpower_poll
            while :; do
                if vpower_find "$2"; then
                    vpower_is_on "$vpower_id" && return 0
                    vpower_limited "$vpower_long_limit" vim-cmd vmsvc/power.on "$vpower_id" \
                        >"$vpower_out" 2>&1
                    vpower_is_on "$vpower_id" && return 0
                fi
                vpower_pause "$vpower_pause_now" "$vpower_guest_limit" || return 1
                vpower_pause_now=$((vpower_pause_now * 2))
                if [ "$vpower_pause_now" -gt "$vpower_pause_limit" ]; then
                    vpower_pause_now=$vpower_pause_limit
                fi
            done
        }

        # NAME VMX VMX-FOR-THE-REPORT SECONDS-THE-NEXT-ONE-WAITS
        vpower_guest() {
            sleep "$vpower_gap"
            vpower_gap=0
            [ "$vpower_ready" != true ] || vpower_gap=$vpower_start_gap
            if [ "$vpower_ready" = true ] && vpower_start "$1" "$2"; then
                vpower_started=$((vpower_started + 1))
                vpower_log "on: $1"
                [ "$4" -le "$vpower_gap" ] || vpower_gap=$4
            else
                vpower_failed="${vpower_failed}failed $3$vpower_lf"
                vpower_log "not started: $1 ($3); see vim-cmd vmsvc/message and hostd.log"
            fi
            vpower_report running
        }

        vpower_wait_after_vcsa() {
            [ "$vpower_waits_for_vcsa" = true ] && [ "$vpower_ready" = true ] || return 0
            vpower_log "waiting $vpower_after_vcsa s for vCenter"
            sleep "$vpower_after_vcsa"
        }

        vpower_expired() {
            vpower_now=$(date +%s)
            if [ "$vpower_now" -lt "$vpower_armed" ]; then
                vpower_log 'the clock is earlier than the arming: taken for not expired'
                return 1
            fi
            [ "$vpower_now" -ge "$vpower_expires" ]
        }

        vpower_work() {
            vpower_ready=true
            if ! vpower_wait_for_hostd; then
                vpower_log "hostd does not answer after $vpower_hostd_limit s"
                vpower_ready=false
            elif ! vpower_leave; then
                vpower_ready=false
            else
                vpower_limited "$vpower_long_limit" esxcli storage core adapter rescan --all
                set --
                set -- "$@" 'ds 1'
                set -- "$@" 'nas:ds2'
                vpower_wait_for_datastores "$@"
            fi
            vpower_guest 'dns' '[ds 1] dns/dns.vmx' '[ds 1] dns/dns.vmx' '30'
            vpower_guest 'vcsa' '[ds 1] vcsa/vcsa.vmx' '[ds 1] vcsa/vcsa.vmx' '0'
            vpower_wait_after_vcsa
            vpower_log 'next tier'
            vpower_guest 'db' '[ds 1] db/db.vmx' '[ds 1] db/db.vmx' '0'
            vpower_log 'next tier'
            vpower_guest 'web' '[nas:ds2] web/web.vmx' '[nas:ds2] web/web.vmx' '0'
            vpower_guest '$(reboot)'\''"; `x` 日本語' '[ds 1] $(reboot)'\''"; `x` 日本語/x.vmx' '[ds 1] $(reboot)'\''"; `x` 日本語/x.vmx' '0'
            vpower_guest 'two\012lines' '[ds 1] two/two.vmx' '[ds 1] two/two.vmx' '0'
        }

        # One copy at a time; the lock of one that is gone does not count.
        if ! mkdir "$vpower_base.lock"; then
            vpower_other=$(cat "$vpower_base.lock/pid")
            if [ -z "$vpower_other" ] || kill -0 "$vpower_other"; then
                vpower_log 'another copy is running: this one does nothing'
                exit 0
            fi
        fi
        sh -c 'echo "$PPID"' >"$vpower_base.lock/pid"
        trap 'rm -rf "$vpower_base.lock" "$vpower_out"' EXIT
        if vpower_expired; then
            vpower_log "run $vpower_run has expired: nothing is started"
            vpower_report expired
            exit 0
        fi
        vpower_log "run $vpower_run: starting the guests of $vpower_host"
        vpower_report running
        vpower_work
        vpower_log "done: $vpower_started guests on"
        vpower_report 'done'
    ) </dev/null >/dev/null 2>&1 &
}
vpower_boot
# <<< vpower boot script
