# How Tests/run runs the tests: three lanes at once, as many labs as the processors can take, and the report. Sourced from the
# top of the checkout, with lanes, needs, follows and limit.
# shellcheck shell=bash
# shellcheck disable=SC2154 # of Tests/run: results, processors, selected, lab

# --- reporting -------------------------------------------------------------------------------------------------------

passed=0 failed=0 failed_names=()
# NAME LANE SECONDS CPU-SECONDS, for each test that has ended.
times=()

said() { cat "$results/$1" 2>/dev/null || echo "$2"; }

# report NAME LANE STATUS SECONDS CPU-SECONDS
report() {
  times+=("$1 $2 $4 $5")
  if [ "$3" = 0 ]; then
    passed=$((passed + 1))
    printf 'ok    %-22s %4s s %6s s of CPU\n' "$1" "$4" "$5"
  else
    failed=$((failed + 1)) failed_names+=("$1")
    printf 'FAIL  %-22s %4s s %6s s of CPU\n' "$1" "$4" "$5"
    sed 's/^/    | /' "$results/$1.log" | tail -n "${BACKHAUL_LOG_LINES:-120}"
  fi
}

# Once more at the end, because a long run's output is often kept only in part.
tell_failures() {
  local name
  for name in "${failed_names[@]}"; do
    echo "failed: $name"
    grep -hE -A 6 -m 10 '^FAIL|Fatal error|error:|recorded an issue' "$results/$name.log" | head -40 | cut -c 1-300 | sed 's/^/    | /'
  done
}

tell_times() {
  local name seconds cpu
  echo "the slowest:"
  printf '%s\n' "${times[@]}" | sort -k 3,3 -rn | head -10 |
    while read -r name _ seconds cpu; do printf '      %-22s %4s s %6s s of CPU\n' "$name" "$seconds" "$cpu"; done
  for name in "$results"/panic-*.log; do
    [ ! -e "$name" ] || echo "the lab's kernel broke down once, and the scenario was run again: $name"
  done
  printf '%s\n' "${times[@]}" | awk -v whole=$SECONDS '
    { seconds[$2] += $3; cpu[$2] += $4; total += $4 }
    END {
      for (lane in seconds) printf "lane %s: %d s of tests, %d s of CPU\n", lane, seconds[lane], cpu[lane]
      printf "all: %d s, %d s of CPU\n", whole, total
    }'
}

# --- one test --------------------------------------------------------------------------------------------------------

is_scenario() { [ -x "Tests/scenarios/$1" ]; }
says() { grep -q "^# $2\$" "Tests/scenarios/$1"; }

run_step() {
  local begun=$SECONDS
  timeout -k 10 "$(limit "$1")" "$0" --one "$1" >"$results/$1.log" 2>&1 </dev/null
  echo $? >"$results/$1.status"
  [ "$(cat "$results/$1.status")" != 124 ] || echo "over the time limit" >>"$results/$1.log"
  echo $((SECONDS - begun)) >"$results/$1.seconds"
}

# The kernel that a scenario runs on.
kernel_of() {
  if says "$1" 'Runs on the kernel at hand\.'; then echo here
  elif [ "$lab" = here ] && says "$1" 'Needs a kernel of its own\.'; then echo "$own_lab"
  else echo "$lab"
  fi
}

# boot PLACE NAME... — runs these scenarios in the lab.
boot() {
  local place=$1
  shift
  BACKHAUL_BINARY=$PWD/.build/lab/backhaul BACKHAUL_FLOW=$PWD/.build/lab/flow \
    BACKHAUL_SIMULATE=$PWD/.build/release/backhaul-simulate \
    BACKHAUL_DEB=$(echo "$PWD"/.build/deb/backhaul_*.deb) \
    Tests/lab/run --kernel "$(kernel_of "$1")" --place "$place" --timeout $((450 * $#)) --keep "$results" \
    -- "$PWD/Tests/lab/drive" "$results" "$@" >"$results/lab-$1.log" 2>&1 </dev/null
}

# run_scenarios PLACE NAME... — runs them in one boot of the lab; once more if its kernel crashed, as User Mode Linux does
# about once in a few hundred boots while a process forks.
run_scenarios() {
  local name
  boot "$@"
  if grep -q 'Kernel panic' "$results/lab-$2.log" && [ ! -e "$results/${*: -1}.status" ]; then
    mv "$results/lab-$2.log" "$results/panic-$2.log"
    boot "$@"
  fi
  for name in "${@:2}"; do
    [ -e "$results/$name.status" ] && continue
    { cat "$results/lab-$2.log"; echo "the lab ended before this scenario did"; } >>"$results/$name.log"
    echo 125 >"$results/$name.status"
    echo 0 >"$results/$name.seconds"
  done
}

# run_batch PLACE NAME... — runs them and records the CPU time of each, as far as it is known.
run_batch() {
  local place=$1 name share=$(($# - 1))
  shift
  if is_scenario "$1"; then run_scenarios "$place" "$@"; else run_step "$1"; fi
  times >"$results/$1.times"
  for name; do
    tail -1 "$results/$1.times" | awk -v share=$share '{
      for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); sum += t[1] * 60 + t[2] }
      printf "%d\n", sum / share }' >"$results/$name.cpu"
  done
}

# --- running them all ------------------------------------------------------------------------------------------------

# What is left to run, by lane; and the result of each name: ok or failed.
declare -A left=() became=()
# The tests of each process, and where it runs: a lane, or a place of the lab.
declare -A tests_of=() place_of=()

# How many labs may run at once in any case, and at most: each may take up to 1 GB, though most take a fifth of that.
fewest_labs=$processors
most_labs=$((processors * 4))
memory_gigabytes=$(awk '/^MemAvailable/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
[ "$memory_gigabytes" -ge "$most_labs" ] || most_labs=$((memory_gigabytes > fewest_labs ? memory_gigabytes : fewest_labs))

# The percentage of CPU time since the last look that was idle, or used by builds, which yield to labs.
spare=0 look=(0 0)
look_at_processors() {
  local user nice system idle wait irq softirq steal total unused
  read -r _ user nice system idle wait irq softirq steal _ </proc/stat
  total=$((user + nice + system + idle + wait + irq + softirq + steal)) unused=$((nice + idle + wait))
  [ $((total - look[0])) -ge $((processors * 50)) ] || return 0
  spare=$(((unused - look[1]) * 100 / (total - look[0])))
  look=("$total" "$unused")
}

# Whether NAME can start. A test that needs something that failed has failed too.
is_ready() {
  local need
  for need in $(needs "$1"); do
    [[ " ${selected[*]} " = *" $need "* ]] || continue
    case ${became[$need]:-} in ok) ;; *) return 1 ;; esac
  done
  for need in $(follows "$1"); do [[ " ${selected[*]} " != *" $need "* || -n ${became[$need]:-} ]] || return 1; done
}
failed_need() {
  local need
  for need in $(needs "$1"); do
    if [ "${became[$need]:-}" = failed ]; then echo "$need failed" | tee "$results/$1.log"; return 0; fi
  done
  return 1
}

# take LANE COUNT — moves the first COUNT tests that can start from `left` to `taken`. A batch only has scenarios for one
# kernel. Tests whose need has failed are reported.
take() {
  local lane=$1 count=$2 name kernel='' rest=()
  taken=()
  for name in ${left[$lane]}; do
    if failed_need "$name" >/dev/null; then became[$name]=failed; report "$name" "$lane" 1 0 0; continue; fi
    if [ ${#taken[@]} -lt "$count" ] && is_ready "$name"; then
      if [ ${#taken[@]} = 0 ]; then
        taken=("$name")
        if is_scenario "$name"; then kernel=$(kernel_of "$name"); else count=1; fi
        [ "$kernel" = qemu ] || count=1
        continue
      elif is_scenario "$name" && [ "$(kernel_of "$name")" = "$kernel" ]; then taken+=("$name"); continue
      fi
    fi
    rest+=("$name")
  done
  left[$lane]=${rest[*]}
  [ ${#taken[@]} -gt 0 ]
}

# begin PLACE — starts what was taken. Checks yield to builds, and both to the lab, but not so far that a busy machine
# would starve them.
declare -A niceness=([build]=2 [check]=4)
begin() {
  (renice -n "${niceness[$1]:-0}" $BASHPID >/dev/null && run_batch "$1" "${taken[@]}") &
  tests_of[$!]=${taken[*]} place_of[$!]=$1
}

labs_running() { printf '%s\n' "${place_of[@]}" | grep -c '^[0-9]'; }
free_place() { local place=0; while [[ " ${place_of[*]} " = *" $place "* ]]; do place=$((place + 1)); done; echo $place; }

# begin_what_can — starts a test in each idle lane, and labs: the minimum at once, then one more at each look that finds the
# processors idle for a third of the time. An emulated machine boots slowly, so there each boot runs six scenarios.
begin_what_can() {
  local lane
  for lane in build check; do
    [[ " ${place_of[*]} " = *" $lane "* ]] || { take $lane 1 && begin $lane; }
  done
  while [ "$(labs_running)" -lt "$fewest_labs" ] && take lab 6; do begin "$(free_place)"; done
  look_at_processors
  if [ $spare -ge 33 ] && [ "$(labs_running)" -lt "$most_labs" ] && take lab 6; then spare=0; begin "$(free_place)"; fi
}

# finish_one PROCESS
finish_one() {
  local name lane=${place_of[$1]} status
  [[ $lane = [a-z]* ]] || lane=lab
  for name in ${tests_of[$1]}; do
    status=$(said "$name.status" 125)
    became[$name]=$([ "$status" = 0 ] && echo ok || echo failed)
    report "$name" "$lane" "$status" "$(said "$name.seconds" 0)" "$(said "$name.cpu" 0)"
  done
  unset "tests_of[$1]" "place_of[$1]"
}

run_all() {
  local lane names name process tick=''
  while read -r lane names; do
    left[$lane]=$(for name in $names; do [[ " ${selected[*]} " != *" $name "* ]] || printf '%s ' "$name"; done)
  done < <(lanes)
  own_lab=$(Tests/lab/run --own --which)
  look_at_processors
  while begin_what_can; [ ${#tests_of[@]} -gt 0 ]; do
    # Wakes up each second, to see whether there is room for one more.
    if [ -z "$tick" ]; then sleep 1 & tick=$!; fi
    wait -n -p process $tick "${!tests_of[@]}"
    if [ "$process" = "$tick" ]; then tick=''; else finish_one "$process"; fi
  done
  # shellcheck disable=SC2048
  for name in ${left[*]}; do echo "nothing that it needs was run" >"$results/$name.log"; report "$name" none 1 0 0; done
}
