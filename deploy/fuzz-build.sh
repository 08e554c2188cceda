#!/usr/bin/env bash
# Builds one fuzzer of what comes from outside, for deploy/fuzz.sh: the files under test and their operations
# (Tests/*/*Operations.swift) optimised, with coverage and the address sanitizer, as one module; everything they use is
# taken from the debug build.
#   ./deploy/fuzz-build.sh TARGET PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
program=$2
case $target in
wire) module=Wire files=(Sources/Wire/*.swift Tests/WireTests/WireOperations.swift) ;;
client)
  module=Client
  files=(Sources/Client/{ClientLimits,ClientStream,InputBuffer,InputCut,TerminalEvent}.swift Tests/ClientTests/ClientOperations.swift)
  ;;
input)
  module=Sessions
  files=(Sources/Sessions/{InputQueue,InputLedger,OutputLog,StreamState,SessionLimits}.swift Tests/SessionsTests/InputOperations.swift)
  ;;
redis)
  module=Redis
  files=(Sources/Redis/{RedisValue,Pipeline,ErrorReply,SlotMap,RedisError,RedisLimits}.swift Tests/RedisTests/RedisOperations.swift)
  ;;
http) module=HTTPClient files=(Sources/HTTPClient/*.swift Tests/PipesTests/HTTPOperations.swift) ;;
docker)
  module=Pipes
  files=(Sources/Pipes/*.swift Sources/Pipes/*/*.swift Tests/PipesTests/DockerOperations.swift)
  ;;
held)
  module=Pipes
  files=(Sources/Pipes/*.swift Sources/Pipes/*/*.swift Tests/PipesTests/HeldOperations.swift)
  ;;
holder)
  module=Holder
  files=(Sources/Holder/*.swift Tests/HolderTests/{HolderInvariants,HolderOperations,SimulatedPeer,SimulatedSystem}.swift)
  ;;
*) echo "no fuzzer $target" >&2 && exit 64 ;;
esac

built=$(swift build --show-bin-path)
arguments=$(mktemp)
trap 'rm -f "$arguments"' EXIT
{
  # C modules, of the packages and as the build made them.
  find .build/checkouts/*/Sources -maxdepth 3 -path '*/include/module.modulemap' -printf '-Xcc -fmodule-map-file=%p\n'
  find "$built" -maxdepth 2 -name module.modulemap -printf '-Xcc -fmodule-map-file=%p\n'
  # As from a library: only what is needed is linked, and nothing of the module that is built anew.
  echo "-Xlinker --start-lib"
  tr -d "'\"" <"$built/fairleadPackageTests.product/Objects.LinkFileList" |
    grep -vE "/(fairlead|fairlead[-_][a-z]*|[A-Za-z]*Tests|[A-Za-z]*Runner|$module)\.build/" |
    sed 's/.*/-Xlinker "&"/'
  echo "-Xlinker --end-lib"
} >"$arguments"
features=()
for feature in ExistentialAny MemberImportVisibility InternalImportsByDefault; do
  features+=(-enable-upcoming-feature "$feature")
done
# The files import the module that they are now part of.
swiftc -O -wmo -parse-as-library -swift-version 6 "${features[@]}" -suppress-warnings \
  -sanitize=fuzzer,address -D FUZZING -module-name "$module" -I "$built/Modules" \
  -I Sources/CHiredis -I Sources/COpenSSL -I Sources/CHolder/include "${files[@]}" "@$arguments" -lhiredis -lssl -lcrypto -lz \
  -lFoundationEssentials -lswiftSynchronization -use-ld=lld -o "$program"
