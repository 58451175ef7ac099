#!/bin/sh
# Installs the packages of an image, as the image's own root and in it; its only argument is the name
# of the user to make. Run by `builders.images.confined`: the essential packages are unpacked, and
# /tmp/debs has essential/*.deb and packages/*.deb.
# Only the packages' own dpkg installs anything, in the order of the file names: no tool of the host
# decides a byte of the result, and none runs here.
set -eu
umask 022
user=$1

printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# dpkg does not sort by Pre-Depends; everything is there before anything is configured.
install() { dpkg --force-depends --force-unsafe-io --log=/dev/null --install "$@"; }
install /tmp/debs/essential/*.deb
for deb in /tmp/debs/packages/*.deb; do
    if [ -e "$deb" ]; then install /tmp/debs/packages/*.deb; fi
    break
done
unfinished=$(dpkg --audit)
if [ -n "$unfinished" ]; then
    echo "$unfinished"
    exit 1
fi

# What Python compiles depends on the order of its sets up to 3.10, and Debian's packages compile
# without the fixed order that is asked for here.
cd /
for python in /usr/bin/python3.[0-9]; do
    if [ ! -x "$python" ]; then continue; fi
    version=${python##*/python}
    compiled="cpython-3${version#3.}"
    find usr -name "*.$compiled.pyc" \
        | sed "s,^,/,;s,__pycache__/\\([^/]*\\)\\.$compiled\\.pyc\$,\\1.py," | LC_ALL=C sort \
        | "$python" -m py_compile -
done

printf '%s:*:1000:1000::/home/%s:/bin/sh\n' "$user" "$user" >> /etc/passwd
printf '%s:*:1000:\n' "$user" >> /etc/group
mkdir -p "/home/$user"
chown 1000:1000 "/home/$user"

# What a run of the tools leaves behind, and what an engine puts there itself.
rm -rf /usr/sbin/policy-rc.d /var/lib/apt /var/cache/apt \
    /var/cache/ldconfig /var/lib/dbus/machine-id /var/lib/systemd/catalog \
    /etc/hostname /etc/hosts /etc/machine-id /etc/resolv.conf \
    /etc/.pwd.lock /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- \
    /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend /var/lib/dpkg/triggers/Lock \
    /var/lib/dpkg/available /var/lib/dpkg/*-old /var/cache/debconf/*-old
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
find /var/log -type f -delete
# From memory to the folder of the image.
cp -a /var/lib/dpkg/. /tmp/dpkg/
