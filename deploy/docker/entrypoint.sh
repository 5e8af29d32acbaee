#!/bin/sh
# The first process of the container: gives the data to a user who is not root, and lets crs take its place as that user.
# A directory that belongs to somebody, such as a folder of the host, stays theirs, and crs runs as them; one of root's, as
# engines make them, goes to the image's user crs (1000). Started as another user, it changes nothing.
set -eu

cannot() {
    echo "entrypoint: $1" >&2
    exit 1
}

if [ "$(id -u)" != 0 ]; then
    exec crs "$@"
fi
[ -d "$DATA_DIR" ] || mkdir -m 0700 "$DATA_DIR" || cannot "DATA_DIR=$DATA_DIR is no directory and cannot be made"
data=$(cd -- "$DATA_DIR" && pwd -P)
case $data in
/ | /app | /bin | /boot | /dev | /etc | /home | /lib | /lib32 | /lib64 | /media | /mnt | /opt | /proc | /root | /run | /sbin | /srv | /sys | /tmp | /usr | /usr/* | /var | /var/lib)
    cannot "DATA_DIR=$DATA_DIR is not for the data alone; name a directory that is, such as /app/data"
    ;;
esac
user=$(stat -c %u "$data")
group=$(stat -c %g "$data")
if [ "$user" = 0 ]; then
    user=1000 group=1000
    chmod 0700 "$data"
elif [ "$group" = 0 ]; then
    # Folders of some hosts are of root's group, which crs has no use for.
    group=$user
fi
# From within each directory, so that one which is exchanged for a link in between leads nowhere else; find does so only
# with a path of whole names. A file of several names may stand elsewhere too and is let be.
PATH=/usr/sbin:/usr/bin:/sbin:/bin find "$data" -xdev -user root \( -type d -o -links 1 \) \
    -execdir chown -h "$user:$group" {} \; ||
    cannot "$DATA_DIR cannot be given to user $user; start the container with --user instead"
exec setpriv --reuid "$user" --regid "$group" --clear-groups --inh-caps=-all --no-new-privs -- crs "$@"
