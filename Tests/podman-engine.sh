#!/usr/bin/env bash
# podman-engine.sh DIR: podman's service with its Docker-compatible socket for tests, without systemd or a registry, and the
# images of Tests/docker-images.sh. Prints `ready 0`, or `missing: WHY`, and then stays until its standard input ends; then all
# of it goes. DIR is made here and must be this run's own: DIR/docker.sock is the socket, and DIR/service.pid is the
# service, which is started again when it ends.
set -uo pipefail
dir=$1
missing() { echo "missing: $*"; exit 0; }

[ "$(id -u)" = 0 ] || missing "an engine needs root here"
export PATH=$PATH:/usr/sbin:/sbin
for tool in podman catatonit runc docker busybox unshare curl; do
  command -v "$tool" >/dev/null || missing "$tool is not installed (apt-get install podman catatonit docker.io busybox-static curl)"
done
mkdir -m 700 "$dir" || missing "cannot make $dir"
mkdir "$dir"/run

# Its locks would be every podman's of this machine.
cat >"$dir"/containers.conf <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
END
export CONTAINERS_CONF=$dir/containers.conf XDG_RUNTIME_DIR=$dir/run
podman=(podman --root "$dir"/root --runroot "$dir"/runroot --tmpdir "$dir"/tmp)

finish() {
  trap - EXIT
  touch "$dir"/stop
  kill "$(cat "$dir"/service.pid 2>/dev/null)" 2>/dev/null
  for _ in $(seq 100); do kill -0 "$namespace" 2>/dev/null || break; sleep .1; done
  # Those that watched over an exec stay for minutes, and would make the directory again; each names it.
  for pid in /proc/[0-9]*; do
    tr '\0' ' ' <"$pid"/cmdline 2>/dev/null | grep -q -- "^[^ ]*conmon .*$dir/" && kill -KILL "${pid#/proc/}"
  done 2>/dev/null
  for _ in $(seq 20); do rm -rf "$dir" 2>/dev/null && break; sleep .1; done
}
trap finish EXIT
trap 'exit 1' TERM INT HUP

# In a mount namespace of its own nothing is left mounted. A service that is started again has to see what the last one
# mounted.
unshare --mount --propagation private bash -c '
  dir=$1
  shift
  until [ -e "$dir"/stop ]; do
    rm -f "$dir"/docker.sock
    "$@" system service --time=0 unix://"$dir"/docker.sock >>"$dir"/service.log 2>&1 &
    echo $! >"$dir"/service.pid
    wait
  done
  "$@" rm --all --force --time 0 >/dev/null 2>&1
' service "$dir" "${podman[@]}" </dev/null &
namespace=$!
for _ in $(seq 100); do
  curl -fs --unix-socket "$dir"/docker.sock http://d/_ping >/dev/null && break
  kill -0 "$namespace" 2>/dev/null || missing "podman ended: $(tail -n 1 "$dir"/service.log)"
  sleep .1
done

docker() { DOCKER_HOST=unix://"$dir"/docker.sock command docker "$@" >/dev/null 2>>"$dir"/image.log; }
. "$(dirname "$0")"/docker-images.sh
# Its usual limits are above those of a machine that has less.
docker run -d --init=false --network none --ulimit nofile=1024:4096 --ulimit nproc=4096:4096 --name base local/base:1 </dev/null ||
  missing "no container runs: $(tail -n 1 "$dir"/image.log)"
echo "ready 0"

# Until the tests have ended: their end of the pipe closes. Polled as well, should another process have
# inherited that end.
parent=$PPID
while kill -0 "$parent" 2>/dev/null; do
  read -r -t 1 _
  [ $? -gt 128 ] || break
done
