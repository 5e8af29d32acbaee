#!/bin/sh
# The first process of the container: gives the data to a user who is not root, and lets crs take its place as that user.
# A directory that belongs to somebody, such as a folder of the host, stays theirs, and crs runs as them; one of root's, as
# engines make them, goes to the image's user crs (1000). Started as another user, it changes nothing.
set -eu

if [ "$(id -u)" != 0 ]; then
    exec crs "$@"
fi
[ -d "$DATA_DIR" ] || mkdir -m 0700 "$DATA_DIR"
owner=$(stat -c %u:%g "$DATA_DIR")
case $owner in
0:*)
    owner=1000:1000
    chmod 0700 "$DATA_DIR"
    ;;
esac
find "$DATA_DIR" -xdev -user root -exec chown -h "$owner" {} + || {
    echo "entrypoint: $DATA_DIR cannot be given to user $owner; start the container with --user instead" >&2
    exit 1
}
exec setpriv --reuid "${owner%:*}" --regid "${owner#*:}" --clear-groups --inh-caps=-all --no-new-privs -- crs "$@"
