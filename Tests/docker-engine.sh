#!/usr/bin/env bash
# docker-engine.sh DIR CERTIFICATES: a real Docker engine for tests, without systemd, kernel modules or a registry:
# Debian's docker.io in namespaces of its own, with small images made on the spot (Tests/docker-images.sh) and a
# container `base` of the first. Prints `ready PORT`, or `missing: WHY`, and then stays until
# its standard input ends, that is, until the tests have ended in whatever way; then all of it goes:
# the containers, the engine, and with the last process the namespaces and what is mounted in them.
#
# DIR is made here and must be this run's own. The engine listens on DIR/docker.sock, and on PORT of
# 127.0.0.1 for who speaks TLS and has a certificate of CERTIFICATES/ca.pem (--tlsverify); it shows
# node-engine.pem. DIR/certs keeps a copy of those.
set -uo pipefail
dir=$1
certificates=$2
missing() { echo "missing: $*"; exit 0; }

[ "$(id -u)" = 0 ] || missing "an engine needs root"
export PATH=$PATH:/usr/sbin:/sbin
for tool in dockerd containerd runc docker busybox ip unshare curl python3; do
  command -v "$tool" >/dev/null ||
    missing "$tool is not installed (apt-get install docker.io busybox-static iproute2 curl python3)"
done
mkdir -m 700 "$dir" || missing "cannot make $dir"
cp -r "$certificates" "$dir"/certs || missing "cannot copy $certificates"

pidfile() { cat "$1" 2>/dev/null; }
finish() {
  trap - EXIT
  local pids=() pid id
  local containers=$(timeout 5 docker -H unix://"$dir"/docker.sock ps -q --no-trunc 2>/dev/null)
  for pid in $(pidfile "$dir"/docker.pid) $(pidfile "$dir"/exec/containerd/containerd.pid); do
    kill -TERM "$pid" 2>/dev/null && pids+=("$pid")
  done
  # The engine stops its containers, one second each at most, all at once.
  for _ in $(seq 100); do
    local alive=
    for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null && alive=1; done
    [ -n "$alive" ] || break
    sleep .1
  done
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
  # What the engine could not stop: its containers' shims name this run's directory.
  for pid in /proc/[0-9]*; do
    tr '\0' ' ' <"$pid"/cmdline 2>/dev/null | grep -qF -- "$dir/exec/" && kill -KILL "${pid#/proc/}"
  done 2>/dev/null
  # And what holds terminals in its containers, which outlives more than an engine.
  for id in $containers; do
    for pid in /proc/[0-9]*; do
      grep -qF -- "$id" "$pid"/cgroup 2>/dev/null && kill -KILL "${pid#/proc/}" 2>/dev/null
    done
  done
  for _ in $(seq 20); do rm -rf "$dir" 2>/dev/null && break; sleep .1; done
}
trap finish EXIT
trap 'exit 1' TERM INT HUP

# A network and a mount namespace without names: nothing is left to delete. Not `ip netns exec`, which
# remounts /sys, so that the engine finds no cgroups. Its TCP socket is made outside, since the network
# in there is its own, and handed on as systemd would (sd_listen_fds(3)).
listening='
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1], "w") as file:
    file.write(str(listener.getsockname()[1]))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)  # not so when it was 3 already
os.execvp(sys.argv[2], sys.argv[2:])
'
python3 -c "$listening" "$dir"/port unshare --net --mount --propagation private bash -c '
  ip link set lo up
  export LISTEN_FDS=1 LISTEN_PID=$$
  exec setsid dockerd "$@"' dockerd \
  --storage-driver=overlay2 --exec-opt native.cgroupdriver=cgroupfs --shutdown-timeout 1 \
  -H unix://"$dir"/docker.sock -H fd:// --tlsverify --tlscacert "$dir"/certs/ca.pem \
  --tlscert "$dir"/certs/node-engine.pem --tlskey "$dir"/certs/node-engine-key.pem \
  --data-root "$dir"/data --exec-root "$dir"/exec \
  -p "$dir"/docker.pid >"$dir"/dockerd.log 2>&1 </dev/null &
engine=$!
for _ in $(seq 300); do
  curl -fs --unix-socket "$dir"/docker.sock http://d/_ping >/dev/null && break
  kill -0 "$engine" 2>/dev/null || missing "dockerd ended: $(grep -v level=info "$dir"/dockerd.log | tail -n 1)"
  sleep .1
done

docker() { DOCKER_HOST=unix://"$dir"/docker.sock command docker "$@" >/dev/null 2>>"$dir"/image.log; }
. "$(dirname "$0")"/docker-images.sh
docker run -d --init=false --network none --name base local/base:1 </dev/null ||
  missing "no container runs: $(tail -n 1 "$dir"/image.log)"
echo "ready $(cat "$dir"/port)"

# Until the tests have ended: their end of the pipe closes. Polled as well, should another process have
# inherited that end.
parent=$PPID
while kill -0 "$parent" 2>/dev/null; do
  read -r -t 1 _
  [ $? -gt 128 ] || break
done
