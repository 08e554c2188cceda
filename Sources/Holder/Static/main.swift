// The static binary's main: Embedded Swift has no CommandLine.

import CHolder

@_cdecl("main") func main(
  count: Int32, arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  var words: [[UInt8]] = []
  for index in 1..<max(1, Int(count)) {
    var word: [UInt8] = []
    var next = arguments[index]
    while let at = next, at.pointee != 0 {
      word.append(UInt8(bitPattern: at.pointee))
      next = at + 1
    }
    words.append(word)
  }
  return HolderCommand.run(words)
}
