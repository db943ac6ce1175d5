#!/bin/sh
# Bring the programs that the tests need: those of .ci/packages that are missing are installed when we are root, and named
# when we are not. Nothing is skipped for want of one.
set -eu
here=$(dirname "$0")

missing() {
    grep -v '^#' "$here/packages" | while read -r probe package; do
        # shellcheck disable=SC2086  # the probe may be a pattern
        command -v "$probe" >/dev/null 2>&1 || ls $probe >/dev/null 2>&1 || echo "$package"
    done
}

wanted=$(missing | sort -u | tr '\n' ' ')
[ -n "$wanted" ] || exit 0

install="apt-get -o DPkg::Lock::Timeout=500 install -y --no-install-recommends $wanted"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests need programs that this machine does not have. As root, run:" >&2
    echo "    $install" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# The package lists may be missing or old; they are brought up to date only when that shows.
$install || { apt-get -o DPkg::Lock::Timeout=500 update && $install; }
left=$(missing | tr '\n' ' ')
[ -z "$left" ] || { echo "These packages are installed, but what they should bring is not there: $left" >&2; exit 1; }
