# Sourced by docker-engine.sh and podman-engine.sh, which have `dir`, `docker` and `missing`: makes small images of what is on
# this machine.
#   local/base:1     bash with its libraries (glibc), and busybox
#   local/busybox:1  busybox alone, as in Alpine: no bash, no library, its shell is /bin/sh
#   local/scratch:1  one static program, /cat: no shell
root=$dir/images
image() { # NAME CHANGES…
  local name=$1 changes=() change
  shift
  for change in "$@"; do changes+=(-c "$change"); done
  tar -C "$root/$name" -c . | docker import "${changes[@]}" - "local/$name:1" ||
    missing "no image could be made: $(tail -n 1 "$dir"/image.log)"
}
busybox=$(command -v busybox)
mkdir -p "$root"/scratch "$root"/busybox/{bin,etc,proc,sys,dev,tmp,root}
chmod 1777 "$root"/busybox/tmp
cp "$busybox" "$root"/scratch/cat
cp "$busybox" "$root"/busybox/bin/busybox
for applet in $(busybox --list | grep -vx busybox); do ln -sf busybox "$root"/busybox/bin/"$applet"; done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root"/busybox/etc/passwd
echo 'root:x:0:' >"$root"/busybox/etc/group
cp -a "$root"/busybox "$root"/base
cp --remove-destination -L /bin/bash "$root"/base/bin/bash
for library in $(ldd /bin/bash | grep -o '/[^ ]*'); do
  mkdir -p "$root/base$(dirname "$library")"
  cp -L "$library" "$root/base$library"
done
mkdir -p "$root"/base/lib/terminfo
cp -aL /lib/terminfo/. "$root"/base/lib/terminfo/ 2>/dev/null
echo 'root:x:0:0:root:/root:/bin/bash' >"$root"/base/etc/passwd
image base 'ENV PATH=/bin' 'CMD ["sleep","2147483647"]'
image busybox 'ENV PATH=/bin' 'CMD ["sleep","2147483647"]'
image scratch 'CMD ["/cat"]'
