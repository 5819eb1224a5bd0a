#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# need.sh THING=PACKAGE…   installs the packages whose thing (a command, a C header or a font) is missing
set -euo pipefail

present() {
    case $1 in
        *.h) [[ -e /usr/include/$1 ]] ;;
        *.tt?) compgen -G "/usr/share/fonts/*/*/$1" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

command -v swift >/dev/null || { echo "Swift is missing: see https://www.swift.org/install" >&2; exit 1; }

missing=()
for pair in "$@"; do
    present "${pair%%=*}" || missing+=("${pair#*=}")
done
(( ${#missing[@]} )) || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Please install, by your system's own means: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if (( EUID != 0 )); then
    command -v sudo >/dev/null || { echo "Please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "Installing system packages with apt-get${as_root:+ by sudo}: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
