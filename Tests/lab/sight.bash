# What the agent says about clients' packets and what other programs do to them. Sourced after agent.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # of agent.bash

status_text() { on edge "$backhaul" status --socket "$W/agent.sock"; }
word_is() { is "$1" jq -r .protection <<<"$(ask status)"; }
word_is_not() { [ "$(ask status | jq -r .protection)" != "$1" ] || { status_text; return 1; }; }
traffic() { ask status | jq -r --arg rule "${1:-office}" '.rules[] | select(.name == $rule) | .traffic.state'; }
traffic_is() { is "$1" traffic "${2:-office}"; }
# says TEXT... — the status contains each of these, word for word.
says() {
  local text screen
  screen=$(status_text)
  for text; do grep -qF -- "$text" <<<"$screen" || { echo "not there: $text"; echo "$screen"; return 1; }; done
}
# health STATUS TEXT — check-health exits with this status, and says that.
health() {
  local got=0 said
  said=$(on edge "$backhaul" check-health --socket "$W/agent.sock") || got=$?
  if [ "$got" != "$1" ] || ! grep -qF -- "$2" <<<"$said"; then echo "exit status $got: $said"; return 1; fi
}
explained() { on edge "$backhaul" explain "${@:-$client}" 133.0.0.1 --socket "$W/agent.sock"; }
# explains TEXT [SOURCE] — the last line of explain contains that.
explains() {
  local said
  said=$(explained "${2:-$client}" 2>&1)
  tail -1 <<<"$said" | grep -qF -- "$1" || { echo "$said"; return 1; }
}
doctor_says() {
  local said
  said=$(on edge "$backhaul" doctor --config "$W/agent.toml")
  grep -qF -- "$1" <<<"$said" || { echo "$said"; return 1; }
}
told() { ask events | jq -r --arg kind "$1" '[.events[] | select(.kind == $kind)] | last | .text // "nothing"'; }
# looked_again — the agent has looked at everything twice more: it does so every five seconds when all is well, every second
# when it suspects something.
looked_again() {
  local round begun
  for round in 1 2; do
    begun=$EPOCHREALTIME
    sleep 1
    soon 20 looked_since "$begun" || { echo "round $round"; return 1; }
  done
}
# looked_since TIME — the agent's last look began after that.
looked_since() {
  local now=$EPOCHREALTIME age
  age=$(ask status | jq -r '.sight.age_seconds // 1000')
  before "$1" "$(printf '%d.%06d' $((($(microseconds "$now") - $(microseconds "$age")) / 1000000)) $((($(microseconds "$now") - $(microseconds "$age")) % 1000000)))"
}
