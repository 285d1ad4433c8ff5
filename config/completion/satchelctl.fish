# Completion of satchelctl for fish. Commands and options come from its own --help, names from the
# running daemon; without one there are none. Names of capsules come from devices, so from anywhere:
# they are only ever data here, and fish quotes them.

function __satchelctl_said --description 'COMMAND SECTION: word, tab, 0 or 1 for a value, tab, what'
    set -l command (string match --regex '.+' -- $argv[1])
    satchelctl $command --help 2>/dev/null | awk -v section="$argv[2]:" '
        function tell(   i, n, names) {
            n = split(word, names, ",")
            for (i = 1; i <= n; i++) print names[i] "\t" value "\t" what
            word = ""
        }
        /^[^ ]/ { tell(); inside = $0 == section; next }
        !inside || NF == 0 { next }
        match($0, /[^ ]/) && RSTART > 20 { what = substr($0, RSTART); next }
        { tell(); word = $1; value = $2 ~ /^[A-Z][A-Z]+([=:]|$)/ && $2 != "REQUIRED"; what = substr($0, 31) }
        END { tell() }'
end

function __satchelctl_names --description 'KIND…: names of capsules, nodes of devices'
    for kind in $argv
        set -l key name
        test $kind = devices; and set key node
        satchelctl --json list $kind 2>/dev/null | grep -o "\"$key\":\"[^\"\\\\]*\"" | cut -d'"' -f4
    end
end

function __satchelctl_value --description 'OPTION: what may follow it'
    switch $argv[1]
        case --disk --cdrom
            __fish_complete_path (commandline --current-token)
        case --to
            __fish_complete_directories (commandline --current-token)
        case --format
            printf '%s\n' raw qcow2 vmdk vdi vhdx
        case --firmware
            printf '%s\n' bios efi
        case --device
            __satchelctl_names devices
        case --os
            satchelctl --json create --os list 2>/dev/null | grep -o '"id":"[^"\\\\]*"' | cut -d'"' -f4
    end
end

function __satchelctl_argument --description 'COMMAND COUNT: what its next argument may be'
    switch $argv[1]:$argv[2]
        case list:0
            printf '%s\n' capsules devices jobs
        case show:0 eject:0 verify:0
            __satchelctl_names capsules devices
        case launch:0 drop-cache:0 checkpoint:0 merge:0 fold:0 compact:0 export:0 sync:0 resolve:0 remove:0 history:0 rollback:0
            __satchelctl_names capsules
        case resolve:1
            printf '%s\n' continue-device keep-both export-ours discard-ours
        case pack:0
            virsh --quiet list --all --name 2>/dev/null | grep .
        case import:0
            __fish_complete_directories (commandline --current-token)
        case pack:1 import:1
            __satchelctl_names devices
        case format:0
            lsblk --noheadings --list --paths --output NAME 2>/dev/null
    end
end

function __satchelctl
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l command
    set -l before
    set -l given 0
    set -l options (__satchelctl_said '' Options)
    for word in $words[2..]
        if test -n "$before"; and string match --quiet -- "$before"\t"1*" $options
            set before
        else if string match --quiet -- '-*' $word
            set before $word
        else if test -z "$command"
            set command $word
            set before
            set --append options (__satchelctl_said $command Options)
        else
            set before
            set given (math $given + 1)
        end
    end
    if test -n "$before"; and string match --quiet -- "$before"\t"1*" $options
        __satchelctl_value $before
    else if string match --quiet -- '-*' $current
        string replace --regex -- '^([^\t]*)\t[01]\t' '$1\t' $options
    else if test -z "$command"
        __satchelctl_said '' Subcommands | string replace --regex -- '^([^\t]*)\t[01]\t' '$1\t'
    else
        __satchelctl_argument $command $given
    end
end

complete --command satchelctl --no-files --arguments '(__satchelctl)'
