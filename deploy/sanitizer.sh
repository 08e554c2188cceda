# Sourced by the scripts that run what was built with a sanitizer: every process, however deep in a test,
# writes what it finds to a file of its own; `no_reports` prints them, and fails if there are any.
reports=$(mktemp -d)
export TSAN_OPTIONS="log_path=$reports/report ${TSAN_OPTIONS:-}"

no_reports() {
  local found
  found=$(find "$reports" -type f)
  if [ -n "$found" ]; then
    head -n 60 $found >&2
    echo "the sanitizer reported something: see $reports" >&2
    return 1
  fi
  rmdir "$reports"
  echo "the sanitizer reported nothing"
}
