#!/bin/sh
# What the tests use of the system: Chromium, which they drive, and PostgreSQL's server, which they start in folders of
# their own. Installed where that is allowed (root on Debian), else asked for.
can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

install() {
    echo "installing $1 for the tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

has_chromium() {
    command -v chromium >/dev/null 2>&1
}

has_postgresql() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

# The package would make a database of the system's own and start it; postgresql-common is where to tell it not to.
install_postgresql() {
    install postgresql-common &&
        sed -i "s/^#*create_main_cluster.*/create_main_cluster = false/" /etc/postgresql-common/createcluster.conf &&
        install postgresql
}

if ! has_chromium && ! { can_install && install chromium; }; then
    echo "chromium is not installed: the browser tests in tests/app will be skipped; install Debian's package chromium to run them"
fi
if ! has_postgresql && ! { can_install && install_postgresql; }; then
    echo "PostgreSQL is not installed: the tests of the verdicts on it will be skipped; install Debian's package postgresql to run them"
fi
