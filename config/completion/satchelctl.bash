# Completion of satchelctl for bash. Names come from the running daemon; without one there are none.

_satchelctl_names() {
  # $1: capsules or devices. One name a line, through JSON, for names may hold blanks.
  local key=name
  [[ $1 == devices ]] && key=node
  satchelctl --json list "$1" 2>/dev/null |
    grep -o "\"$key\":\"[^\"\\\\]*\"" | cut -d'"' -f4
}

_satchelctl_machines() {
  virsh --quiet list --all --name 2>/dev/null | grep .
}

_satchelctl() {
  local commands="status list show monitor doctor pack launch eject checkpoint format"
  local word=${COMP_WORDS[COMP_CWORD]} command="" i position=0
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; else position=$((position + 1)); fi ;;
    esac
  done

  local options="--json --help" candidates=""
  case $command in
    "") options="--json --help --version" candidates=$commands ;;
    list) candidates="capsules devices jobs" ;;
    show) candidates="$(_satchelctl_names capsules) $(_satchelctl_names devices)" ;;
    doctor) options+=" --measure" ;;
    pack)
      options+=" --name"
      if ((position == 0)); then candidates=$(_satchelctl_machines); else
        candidates=$(_satchelctl_names devices)
      fi
      ;;
    launch) options+=" --take-over --start-fresh" candidates=$(_satchelctl_names capsules) ;;
    eject)
      options+=" --all"
      candidates="$(_satchelctl_names capsules) $(_satchelctl_names devices)"
      ;;
    checkpoint) candidates=$(_satchelctl_names capsules) ;;
    format)
      options+=" --fs --label --yes"
      candidates=$(lsblk --noheadings --list --paths --output NAME 2>/dev/null)
      ;;
  esac
  [[ $word == -* ]] && candidates=$options
  local IFS=$' \n'
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}

complete -F _satchelctl satchelctl
