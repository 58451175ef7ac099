#!/bin/sh
# Installs Debian packages into an empty folder, as root, in namespaces of its own without network.
# Arguments: the empty folder, the folder with essential/*.deb and packages/*.deb, the user's name.
# Only the packages' own dpkg installs anything, in the order of the file names: no tool of this
# machine decides a byte of the result. Mounts end with the namespace.
set -eu
umask 022
root=$1
debs=$2
user=$3

for deb in "$debs"/essential/*.deb; do
    dpkg-deb --extract "$deb" "$root"
done
for folder in dev proc run sys tmp; do
    mkdir -p "$root/$folder"
done
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for node in full null random tty urandom zero; do
    : > "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm" "$root/run/lock" "$root/tmp/debs"
mount --bind "$debs" "$root/tmp/debs"
chroot "$root" hostname builder
# dpkg waits for the disk at every step of its database, so it stands in memory until the end.
cp -a "$root/var/lib/dpkg" "$root/tmp/dpkg"
mount --bind "$root/tmp/dpkg" "$root/var/lib/dpkg"

printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# dpkg does not sort by Pre-Depends; everything is there before anything is configured.
install='exec dpkg --force-depends --force-unsafe-io --log=/dev/null --install "$@"'
chroot "$root" sh -c 'set -- /tmp/debs/essential/*.deb; '"$install"
for deb in "$debs"/packages/*.deb; do
    if [ -e "$deb" ]; then
        chroot "$root" sh -c 'set -- /tmp/debs/packages/*.deb; '"$install"
    fi
    break
done
unfinished=$(chroot "$root" dpkg --audit)
if [ -n "$unfinished" ]; then
    echo "$unfinished"
    exit 1
fi

# What Python compiles depends on the order of its sets up to 3.10, and Debian's packages compile
# without the fixed order that is asked for here.
for python in "$root"/usr/bin/python3.[0-9]; do
    if [ ! -x "$python" ]; then continue; fi
    version=${python##*/python}
    compiled="cpython-3${version#3.}"
    (cd "$root" && find usr -name "*.$compiled.pyc") \
        | sed "s,^,/,;s,__pycache__/\\([^/]*\\)\\.$compiled\\.pyc\$,\\1.py," | LC_ALL=C sort \
        | chroot "$root" "/usr/bin/python$version" -m py_compile -
done

umount "$root/var/lib/dpkg"
rm -rf "$root/var/lib/dpkg"
cp -a "$root/tmp/dpkg" "$root/var/lib/dpkg"

printf '%s:*:1000:1000::/home/%s:/bin/sh\n' "$user" "$user" >> "$root/etc/passwd"
printf '%s:*:1000:\n' "$user" >> "$root/etc/group"
mkdir -p "$root/home/$user"
chown 1000:1000 "$root/home/$user"

# What a run of the tools leaves behind, and what an engine puts there itself.
rm -rf "$root/usr/sbin/policy-rc.d" "$root/var/lib/apt" "$root/var/cache/apt" \
    "$root/var/cache/ldconfig" "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/catalog" \
    "$root/etc/hostname" "$root/etc/hosts" "$root/etc/machine-id" "$root/etc/resolv.conf" \
    "$root/etc/.pwd.lock" "$root/etc/passwd-" "$root/etc/group-" "$root/etc/shadow-" \
    "$root/etc/gshadow-" "$root/etc/subuid-" "$root/etc/subgid-" \
    "$root/var/lib/dpkg/lock" "$root/var/lib/dpkg/lock-frontend" \
    "$root/var/lib/dpkg/triggers/Lock" "$root/var/lib/dpkg/available" \
    "$root"/var/lib/dpkg/*-old "$root"/var/cache/debconf/*-old
mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
find "$root/var/log" -type f -delete
