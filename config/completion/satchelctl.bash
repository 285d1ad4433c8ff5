# Completion of satchelctl for bash. Names come from the running daemon; without one there are none.
# Names of capsules come from devices, so from anywhere: they are compared and quoted, and never given
# to compgen -W, which would run what they hold.

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

_satchelctl_candidates() {
  # $1: the command so far, $2: how many arguments it has, $3: the word, $4: the one before it. One
  # candidate a line.
  if [[ ($1 == export || $1 == resolve) && $4 == --to ]]; then
    compgen -d -- "$3"
    return
  fi
  case $1 in
    "") printf '%s\n' status list show history monitor doctor drop-cache pack create launch eject checkpoint sync merge \
      fold compact verify resolve rollback remove format export import ;;
    list) printf '%s\n' capsules devices jobs ;;
    show | eject | verify) _satchelctl_names capsules; _satchelctl_names devices ;;
    launch | drop-cache | checkpoint | sync | merge | fold | compact | export | remove | history | rollback) _satchelctl_names capsules ;;
    resolve)
      if (($2 == 0)); then _satchelctl_names capsules
      else printf '%s\n' continue-device keep-both export-ours discard-ours; fi
      ;;
    import) if (($2 == 0)); then compgen -d -- "$3"; else _satchelctl_names devices; fi ;;
    pack) if (($2 == 0)); then _satchelctl_machines; else _satchelctl_names devices; fi ;;
    format) lsblk --noheadings --list --paths --output NAME 2>/dev/null ;;
  esac
}

_satchelctl_values() {
  # $1: an option of create that has a value; fails for any other word.
  case $1 in
    --disk | --cdrom) compgen -f -- "$2" ;;
    --format) printf '%s\n' raw qcow2 vmdk vdi vhdx ;;
    --firmware) printf '%s\n' bios efi ;;
    --device) _satchelctl_names devices ;;
    --os)
      satchelctl --json create --os list 2>/dev/null | grep -o '"id":"[^"\\]*"' | cut -d'"' -f4
      ;;
    *) return 1 ;;
  esac
}

_satchelctl_options() {
  local options=(--json --help)
  case $1 in
    "") options+=(--version) ;;
    doctor) options+=(--measure --thorough --yes) ;;
    pack) options+=(--name) ;;
    create)
      options+=(--disk --format --size --cdrom --memory --cpus --firmware --network --os --device --launch)
      ;;
    launch) options+=(--take-over --this-copy --without-device --start-fresh) ;;
    eject) options+=(--all --merge) ;;
    sync) options+=(--dry-run --emptied) ;;
    merge | fold | compact) options+=(--although-needed) ;;
    format) options+=(--fs --label --yes) ;;
    export) options+=(--to --flat --chain --no-memory --generation) ;;
    import) options+=(--name --uuid --no-memory) ;;
    resolve) options+=(--to --yes) ;;
    rollback) options+=(--although-needed --yes) ;;
    remove) options+=(--yes) ;;
  esac
  printf '%s\n' "${options[@]}"
}

_satchelctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command="" i position=0 line
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; else position=$((position + 1)); fi ;;
    esac
  done
  word=${word//\\/} # as it was typed: "odd\ b"
  word=${word#[\"\']}

  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == "$word"* ]] || continue
    printf -v line '%q' "$line"
    COMPREPLY+=("$line")
  done < <(
    [[ $command == create ]] && _satchelctl_values "${COMP_WORDS[COMP_CWORD - 1]}" "$word" && exit
    if [[ $word == -* ]]; then _satchelctl_options "$command"; else
      _satchelctl_candidates "$command" "$position" "$word" "${COMP_WORDS[COMP_CWORD - 1]}"
    fi
  )
}

complete -F _satchelctl satchelctl
