# shellcheck shell=sh
# Sourced, in the tree's root: reads .env. What the environment says already stays.

if [ -f .env ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%"$(printf '\r')"}
        case $line in
        '' | '#'*) continue ;;
        esac
        name=${line%%=*}
        value=${line#*=}
        case $name in
        '' | [0-9]* | *[!A-Za-z0-9_]* | "$line")
            echo ".env: not a NAME=value line: $name" >&2
            exit 1
            ;;
        esac
        case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
        esac
        eval "[ -n \"\${$name+set}\" ]" || export "$name=$value"
    done <.env
fi
unset line name value
