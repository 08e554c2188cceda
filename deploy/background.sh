# Sourced by the benchmarks that start servers: `dir` is a folder of this run, `background LOG COMMAND…`
# starts a process that ends with the script, its output in $dir/LOG, `until_line LOG TEXT` waits until
# that says TEXT, and `start_redis` leaves the URL of a Redis of its own in `redis`.

dir=$(mktemp -d)
started=()
finish() {
  kill "${started[@]}" 2>/dev/null || true
  wait "${started[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT

background() { # LOG COMMAND…
  local log=$dir/$1
  shift
  "$@" >"$log" 2>&1 &
  started+=($!)
}

until_line() { # LOG TEXT
  for _ in $(seq "${patience:-200}"); do
    grep -q "$2" "$dir/$1" 2>/dev/null && return
    sleep 0.05
  done
  echo "never saw '$2' in:" >&2
  cat "$dir/$1" >&2
  exit 1
}

start_redis() {
  local port=$((20000 + RANDOM % 10000))
  background redis.log redis-server --port $port --bind 127.0.0.1 --save "" --dir "$dir"
  until_line redis.log "Ready to accept"
  redis=redis://127.0.0.1:$port/0
}

# The port of the address in a log's line "serves on …".
port_in() { grep -o 'serves on .*' "$dir/$1" | grep -o '[0-9]*$'; }
