# >>> vpower boot script
# Starts this host's guests after a power cut. Written by vpower, which replaces it: do not edit.
# One function, called on the last line: a file that was cut short runs nothing. ESXi's BusyBox
# has no tr, ps, cmp, flock, and its `timeout` changed its syntax, so none is used.
# While it is at work, `touch /tmp/vpower-boot.stop` calls it off.
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
        vpower_is_armed='1'
        vpower_lf=$(printf '\n_')
        vpower_lf=${vpower_lf%_}
        vpower_host='esx1.example.org'
        vpower_run='2026-11-21-7f3a'
        vpower_armed='1790000000'
        vpower_expires='1790604800'
        vpower_of='6'
        vpower_leave_maintenance='true'
        vpower_waits_for_vcsa='true'
        vpower_probe='none'
        vpower_probe_address=''
        vpower_probe_port='0'
        vpower_settle='0'
        vpower_start_gap='5'
        vpower_after_vcsa='300'
        vpower_hostd_limit='900'
        vpower_storage_left='900'
        vpower_guest_limit='300'
        vpower_log_limit='65536'
        vpower_file=/etc/rc.local.d/local.sh
        vpower_base=/tmp/vpower-boot
        vpower_out=$vpower_base.out
        # Seconds: between two looks; between two looks at storage; between two rescans; at most
        # between two tries; for one look at vCenter; for one vim-cmd or esxcli; for power.on,
        # which a pending question blocks for ever; for a rescan or a save.
        vpower_poll=2
        vpower_store_poll=10
        vpower_rescan_gap=30
        vpower_step_limit=30
        vpower_probe_limit=10
        vpower_call_limit=45
        vpower_start_limit=20
        vpower_long_limit=120
        # At most so many ids are asked whether they are the one that is looked for.
        vpower_candidate_limit=20
        vpower_acts=unarmed
        vpower_off=false
        vpower_disarmed=no
        vpower_started=0
        vpower_failed=''
        vpower_gap=0

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

        vpower_log() {
            vpower_size=$(wc -c 2>/dev/null <"$vpower_base.log")
            if [ "${vpower_size:-0}" -gt "$vpower_log_limit" ]; then
                mv -f "$vpower_base.log" "$vpower_base.log.1"
            fi
            printf '%s %s\n' "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$1" >>"$vpower_base.log"
            # Nobody waits for it: syslog may hang.
            logger -t vpower "boot script: $1" &
        }

        # STATE: written beside and moved, so that a reader never sees half of it.
        vpower_report() {
            {
                printf 'vpower-boot 2\nrun %s\nmode %s\nstate %s\n' "$vpower_run" \
                    "$vpower_acts" "$1"
                printf 'started %s\nof %s\ndisarmed %s\n%send\n' "$vpower_started" \
                    "$vpower_of" "$vpower_disarmed" "$vpower_failed"
            } >"$vpower_base.state.new" && mv -f "$vpower_base.state.new" "$vpower_base.state"
        }

        vpower_block() {
            sed -n '/^# >>> vpower boot script$/,/^# <<< vpower boot script$/p' "$vpower_file" |
                sha256sum
        }

        # Whether somebody does not want this one any more: vpower shuts the host down again, or
        # has taken the block out.
        vpower_called_off() {
            [ "$vpower_off" = false ] || return 0
            if [ ! -e "$vpower_base.stop" ] && [ "$(vpower_block)" = "$vpower_own" ]; then
                return 1
            fi
            vpower_off=true
            vpower_log 'called off: nothing more is started'
        }

        # LIMIT STEP COMMAND...: runs it every STEP seconds until it is true; false when it says
        # that waiting is in vain (2), at the limit, or when called off. The limit is counted in
        # small differences of the clock, as it may be set meanwhile.
        vpower_await() {
            vpower_limit=$1
            vpower_step=$2
            shift 2
            vpower_waited=0
            vpower_last=$(date +%s)
            until vpower_called_off; do
                "$@"
                case $? in
                    0) return 0 ;;
                    2) return 1 ;;
                esac
                vpower_rest=$((vpower_limit - vpower_waited))
                [ "$vpower_rest" -gt 0 ] || return 1
                [ "$vpower_step" -ge "$vpower_rest" ] || vpower_rest=$vpower_step
                sleep "$vpower_rest"
                vpower_now=$(date +%s)
                vpower_passed=$((vpower_now - vpower_last))
                vpower_last=$vpower_now
                if [ "$vpower_passed" -lt "$vpower_rest" ] || [ "$vpower_passed" -gt 600 ]; then
                    vpower_passed=$vpower_rest
                fi
                vpower_waited=$((vpower_waited + vpower_passed))
            done
            return 1
        }

        # For what is tried, not looked at: the next wait is longer.
        vpower_slow_down() {
            vpower_step=$((vpower_step * 2))
            [ "$vpower_step" -le "$vpower_step_limit" ] || vpower_step=$vpower_step_limit
        }

        vpower_vim() {
            vpower_limited "$vpower_call_limit" vim-cmd "$@" >"$vpower_out" 2>"$vpower_base.err"
        }

        # By the answer, not by the exit status.
        vpower_hostd_ready() {
            vpower_vim hostsvc/runtimeinfo
            grep -q 'inMaintenanceMode = ' "$vpower_out"
        }

        # LEAVE: no answer is not taken for "not in maintenance mode".
        vpower_out_of_maintenance() {
            vpower_hostd_ready || return 1
            grep -q 'inMaintenanceMode = false' "$vpower_out" && return 0
            [ "$1" = true ] || return 2
            vpower_log 'leaving maintenance mode'
            vpower_vim hostsvc/maintenance_mode_exit
            vpower_slow_down
            return 1
        }

        # LEAVE: waits until guests can start; vpower_blocked then is empty.
        vpower_prepare() {
            vpower_blocked=hostd
            if ! vpower_await "$vpower_hostd_limit" "$vpower_poll" vpower_hostd_ready; then
                vpower_log "hostd does not answer after $vpower_waited s"
                return 0
            fi
            vpower_blocked=maintenance
            if vpower_await "$vpower_hostd_limit" "$vpower_poll" vpower_out_of_maintenance "$1"
            then
                vpower_blocked=''
            else
                vpower_log 'the host stays in maintenance mode: nothing can start'
            fi
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

        # NAME: whether hostd says that the datastore of this name is out of reach.
        vpower_unreachable() {
            VPOWER_NAME=$1 awk '
                /^ +name = "/ {
                    name = $0
                    sub(/^ +name = "/, "", name)
                    sub(/",? *\r?$/, "", name)
                }
                /^ +accessible = false/ && name == ENVIRON["VPOWER_NAME"] { found = 1 }
                END { exit !found }
            ' "$vpower_out"
        }

        # NAME...: whether all are accessible; rescans now and then while they are not.
        vpower_accessible() {
            vpower_missing=0
            vpower_limited "$vpower_call_limit" esxcli storage filesystem list \
                >"$vpower_out" 2>/dev/null
            for vpower_name in "$@"; do
                vpower_mounted "$vpower_name" || vpower_missing=$((vpower_missing + 1))
            done
            if [ "$vpower_missing" -eq 0 ]; then
                vpower_vim hostsvc/datastore/listsummary
                for vpower_name in "$@"; do
                    ! vpower_unreachable "$vpower_name" || vpower_missing=$((vpower_missing + 1))
                done
            fi
            [ "$vpower_missing" -gt 0 ] || return 0
            vpower_rescan
            return 1
        }

        vpower_rescan() {
            [ "$vpower_waited" -ge "$vpower_rescan_at" ] || return 0
            vpower_limited "$vpower_long_limit" esxcli storage core adapter rescan --all
            vpower_rescan_at=$((vpower_waited + vpower_rescan_gap))
        }

        # NAME...: waits for these datastores. All waits for storage together have one limit.
        vpower_storage() {
            [ "$#" -gt 0 ] && [ -z "$vpower_blocked" ] || return 0
            vpower_rescan_at=0
            vpower_await "$vpower_storage_left" "$vpower_store_poll" vpower_accessible "$@" ||
                vpower_log "$vpower_missing datastores are not accessible: going on without them"
            vpower_storage_left=$((vpower_storage_left - vpower_waited))
        }

        # VMX: ids that getallvms may show for it. A line of an annotation can look like a row,
        # and a line break in a name can break one; so these are only candidates.
        vpower_candidates() {
            VPOWER_VMX=$1 awk -v limit="$vpower_candidate_limit" '
                /^[0-9]+   / {
                    before = id
                    id = $1
                    if (!/\.vmt?x +[^ ]+ +vmx-[0-9]+( |$)/) broken = broken " " id
                }
                index($0, "   " ENVIRON["VPOWER_VMX"] "   ") {
                    sure = sure " " id
                    likely = likely " " before
                }
                END {
                    count = split(sure likely broken, ids, " ")
                    for (i = 1; i <= count && i <= limit; i++) print ids[i]
                }
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

        # The guests listed, and in vpower_invalid the ids of those whose file cannot be read.
        vpower_list() {
            vpower_vim vmsvc/getallvms
            vpower_invalid=$(sed -n "s/^Skipping invalid VM '\([0-9]*\)'.*/\1/p" "$vpower_base.err" |
                head -n "$vpower_candidate_limit")
        }

        # VMX: its id on this host now, in vpower_id. Ids change when a guest is registered anew.
        vpower_find() {
            vpower_list
            for vpower_id in $(vpower_candidates "$1"); do
                vpower_vim vmsvc/get.summary "$vpower_id"
                ! vpower_confirmed "$1" || return 0
            done
            return 1
        }

        # hostd looks again at the files that it could not read; false when there are none.
        vpower_reload() {
            [ -n "$vpower_invalid" ] || return 1
            for vpower_id in $vpower_invalid; do
                vpower_vim vmsvc/reload "$vpower_id"
            done
        }

        vpower_is_on() {
            vpower_vim vmsvc/power.getstate "$1"
            grep -q '^Powered on' "$vpower_out"
        }

        # VMX: one try to have it on; starts it, or resumes a suspended one, and looks. What
        # power.on says is not asked: it reports failure for a guest that is on, and success for
        # one that is not. In vpower_why is what was in the way.
        vpower_try() {
            if ! vpower_find "$1" && ! { vpower_reload && vpower_find "$1"; }; then
                vpower_why=missing
                if [ -n "$vpower_invalid" ]; then
                    vpower_why=invalid
                fi
                if [ "$vpower_acts" != armed ] || [ "$vpower_waited" -ge "$vpower_storage_left" ]
                then
                    return 2
                fi
                vpower_slow_down
                return 1
            fi
            vpower_why=''
            ! vpower_is_on "$vpower_id" || return 0
            vpower_limited "$vpower_start_limit" vim-cmd vmsvc/power.on "$vpower_id" \
                >"$vpower_out" 2>&1
            ! vpower_is_on "$vpower_id" || return 0
            vpower_why=start
            vpower_vim vmsvc/message "$vpower_id"
            if grep -q '^Virtual machine message ' "$vpower_out"; then
                vpower_why=question
                return 2
            fi
            vpower_slow_down
            return 1
        }

        # SECONDS
        vpower_sleep() {
            vpower_await "$1" "$vpower_step_limit" false
        }

        # SECONDS-THE-NEXT-ONE-WAITS NAME VMX [VMX-FOR-THE-REPORT]
        vpower_guest() {
            vpower_sleep "$vpower_gap"
            vpower_gap=0
            vpower_why=${vpower_blocked:-missing}
            [ -n "$vpower_blocked" ] ||
                vpower_await "$vpower_guest_limit" "$vpower_poll" vpower_try "$3"
            [ "$vpower_off" = false ] || [ -z "$vpower_why" ] || return 0
            case $vpower_acts$vpower_why in
                armed | unarmed | expired)
                    vpower_gap=$vpower_start_gap
                    [ "$1" -le "$vpower_gap" ] || vpower_gap=$1
                    vpower_started=$((vpower_started + 1))
                    vpower_log "on: $2"
                    ;;
                # Registered on another host, or nowhere.
                unarmedmissing | unarmedinvalid | expiredmissing | expiredinvalid) ;;
                *)
                    case $vpower_why in
                        start) vpower_gap=$vpower_start_gap ;;
                        missing | invalid)
                            vpower_storage_left=$((vpower_storage_left - vpower_waited))
                            ;;
                    esac
                    vpower_failed="${vpower_failed}failed $vpower_why ${4:-$3}$vpower_lf"
                    vpower_log "not started: $2 (${4:-$3}): $vpower_why"
                    ;;
            esac
            vpower_report running
        }

        # Tried at the installation whether this host's firewall lets it through.
        vpower_vcsa_answers() {
            case $vpower_probe in
                nc) set -- nc -z -w 5 "$vpower_probe_address" "$vpower_probe_port" ;;
                wget)
                    set -- wget -q -O /dev/null --no-check-certificate \
                        "https://$vpower_probe_address:$vpower_probe_port/"
                    ;;
                *) return 1 ;;
            esac
            vpower_limited "$vpower_probe_limit" "$@"
        }

        vpower_wait_for_vcsa() {
            [ "$vpower_waits_for_vcsa" = true ] && [ -z "$vpower_blocked" ] || return 0
            vpower_log "waiting for vCenter, at most $vpower_after_vcsa s"
            if vpower_await "$vpower_after_vcsa" "$((vpower_poll * 2))" vpower_vcsa_answers; then
                vpower_log "vCenter answers after $vpower_waited s"
            fi
        }

        vpower_expired() {
            vpower_now=$(date +%s)
            if [ "$vpower_now" -lt "$vpower_armed" ]; then
                vpower_log 'the clock is earlier than the arming: taken for not expired'
                return 1
            fi
            [ "$vpower_now" -ge "$vpower_expires" ]
        }

        # What was on at the shutdown.
        vpower_armed_work() {
            vpower_prepare "$vpower_leave_maintenance"
            vpower_storage 'ds 1'
            [ -n "$vpower_blocked" ] || vpower_sleep "$vpower_settle"
            vpower_guest '30' 'dns' '[ds 1] dns/dns.vmx'
            vpower_storage 'ds 1'
            vpower_guest '0' 'vcsa' '[ds 1] vcsa/vcsa.vmx'
            vpower_wait_for_vcsa
            vpower_log 'next tier'
            vpower_storage 'ds 1'
            vpower_guest '0' 'db' '[ds 1] db/db.vmx'
            vpower_log 'next tier'
            vpower_storage 'nas:ds2' 'ds 1'
            vpower_guest '0' 'web' '[nas:ds2] web/web.vmx'
            vpower_guest '0' '$(reboot)'\''"; `x` 日本語' '[ds 1] $(reboot)'\''"; `x` 日本語/x.vmx'
            vpower_guest '0' 'two\012lines' '[ds 1] two/two.vmx'
        }

        # By one byte, in place: whatever a power cut leaves of that is whole, and a new file
        # would not be saved.
        vpower_disarm() {
            grep -q "^ *vpower_is_armed='1'$" "$vpower_file" || return 1
            sed "s/^\( *vpower_is_armed=\)'1'$/\1'0'/" "$vpower_file" >"$vpower_base.new"
            vpower_size=$(wc -c <"$vpower_file")
            [ "$(wc -c <"$vpower_base.new")" -eq "$vpower_size" ] || return 1
            vpower_at=$(sed "/^ *vpower_is_armed='1'$/q" "$vpower_file" | wc -c)
            printf 0 | dd of="$vpower_file" bs=1 seek=$((vpower_at - 3)) conv=notrunc
            if [ "$(sha256sum <"$vpower_file")" != "$(sha256sum <"$vpower_base.new")" ]; then
                cat "$vpower_base.new" >"$vpower_file"
            fi
            for vpower_save in /sbin/auto-backup.sh /bin/auto-backup.sh; do
                [ ! -x "$vpower_save" ] || break
            done
            vpower_limited "$vpower_long_limit" "$vpower_save"
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
        trap 'rm -rf "$vpower_base.lock" "$vpower_out" "$vpower_base.err" "$vpower_base.new"' EXIT
        vpower_own=$(vpower_block)
        if [ "$vpower_is_armed" = 1 ]; then
            vpower_acts=armed
            if vpower_expired; then
                vpower_log "run $vpower_run has expired"
                vpower_acts=expired
            fi
        fi
        vpower_report running
        if [ "$vpower_acts" = armed ]; then
            vpower_log "run $vpower_run: starting the guests of $vpower_host"
            vpower_armed_work
        fi
        vpower_log "done: $vpower_started guests on"
        if vpower_called_off; then
            vpower_report calledoff
            exit 0
        fi
        if [ "$vpower_acts" = armed ] && [ -z "$vpower_failed" ]; then
            vpower_disarmed=failed
            ! vpower_disarm || vpower_disarmed=yes
            vpower_log "taken out of arms: $vpower_disarmed"
        fi
        vpower_report 'done'
    ) </dev/null >/dev/null 2>&1 &
}
vpower_boot
# <<< vpower boot script
