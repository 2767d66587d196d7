#!/bin/sh
# Installs S3 servers of other makes for `make stores`, into $STORES (default: $HOME/.cache/sparkify-lake/stores).
# Each comes from its package registry; one that cannot be installed is reported, and its tests are skipped.
set -u
stores=${STORES:-$HOME/.cache/sparkify-lake/stores}
mkdir -p "$stores"

versitygw=1.8.0
s3proxy=2.7.0
s3mock=4.7.0

missing() {
    echo "stores: $1 cannot be installed; its tests are skipped" >&2
}

from_maven() {  # artifact, classifier, file
    [ -f "$stores/$3" ] && return
    mvn -q -B dependency:get -Dtransitive=false -Dartifact="$1:jar:$2" &&
        mvn -q -B dependency:copy -Dartifact="$1:jar:$2" -DoutputDirectory="$stores" -Dmdep.stripVersion=true ||
        missing "$3"
}

[ -x "$stores/versitygw" ] ||
    GOBIN=$stores go install "github.com/versity/versitygw/cmd/versitygw@v$versitygw" || missing versitygw
from_maven "org.gaul:s3proxy:$s3proxy" jar-with-dependencies s3proxy-jar-with-dependencies.jar
from_maven "com.adobe.testing:s3mock:$s3mock" exec s3mock-exec.jar
