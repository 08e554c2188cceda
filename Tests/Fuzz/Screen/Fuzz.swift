// The fuzzer of the terminal model; deploy/fuzz.sh builds and runs it.

import ScreenOperations

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try ScreenOperations.run(UnsafeBufferPointer(start: start, count: count))
  } catch {
    fatalError("\(error)")
  }
  return 0
}
