#!/bin/sh
# Chromium for the browser tests: installed where that is allowed (root on Debian), else asked for.
if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium for the browser tests"
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; then
        exit 0
    fi
fi
echo "chromium is not installed: the browser tests in tests/app will be skipped; install Debian's package chromium to run them"
