# Sourced by the scripts that run what was built with a sanitizer. `sanitized COMMAND…`: every process,
# however deep in a test, writes what the sanitizer finds to a file of its own; those are printed, and fail
# the command as its own failure does.
sanitized() {
  local reports status=0 found
  reports=$(mktemp -d)
  TSAN_OPTIONS="suppressions=$PWD/deploy/races.supp:log_path=$reports/report ${TSAN_OPTIONS:-}" \
    ASAN_OPTIONS="detect_leaks=1:log_path=$reports/report ${ASAN_OPTIONS:-}" \
    LSAN_OPTIONS="suppressions=$PWD/deploy/leaks.supp:print_suppressions=0 ${LSAN_OPTIONS:-}" \
    "$@" || status=$?
  found=$(find "$reports" -type f)
  if [ -n "$found" ]; then
    head -n 60 $found >&2
    echo "the sanitizer reported something: see $reports" >&2
    return 1
  fi
  rmdir "$reports"
  echo "the sanitizer reported nothing"
  return $status
}
