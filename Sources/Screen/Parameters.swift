// The numbers of a control sequence, `1;2:3:4`: up to 32 parameters and 32 subparameters, as in
// xterm.js; what is beyond is dropped. In manual storage, because every sequence writes here.

struct Parameters {
  static let limit = 32
  static let byteCount = limit * 10

  private let numbers = Block<Int32>(count: limit)
  private let subnumbers = Block<Int32>(count: limit)
  /// Where each parameter's subparameters start.
  private let starts = Block<UInt8>(count: limit)
  private(set) var count = 1
  private(set) var subcount = 0
  private(set) var rejectsDigits = false
  private(set) var rejectsSubdigits = false
  private(set) var digitIsSub = false

  func deallocate() {
    numbers.deallocate()
    subnumbers.deallocate()
    starts.deallocate()
  }

  /// The same numbers in memory of their own.
  func copy() -> Parameters {
    let copy = Parameters()
    copy.numbers.copy(numbers, from: 0, to: 0, count: Self.limit)
    copy.subnumbers.copy(subnumbers, from: 0, to: 0, count: Self.limit)
    copy.starts.copy(starts, from: 0, to: 0, count: Self.limit)
    var all = copy
    all.count = count
    all.subcount = subcount
    all.rejectsDigits = rejectsDigits
    all.rejectsSubdigits = rejectsSubdigits
    all.digitIsSub = digitIsSub
    return all
  }

  /// One parameter, 0.
  @inline(__always)
  mutating func reset() {
    count = 1
    numbers[0] = 0
    starts[0] = 0
    subcount = 0
    rejectsDigits = false
    rejectsSubdigits = false
    digitIsSub = false
  }

  /// A parameter; 0 where there is none.
  @inline(__always) subscript(index: Int) -> Int32 { index < count ? numbers[index] : 0 }

  /// A parameter as a count: 0 means 1.
  @inline(__always) func countAt(_ index: Int) -> Int { max(1, Int(self[index])) }

  /// Subparameters of a parameter; -1 where one is empty.
  @inline(__always) func subparameters(_ index: Int) -> Subparameters {
    let start = Int(starts[index])
    let end = index + 1 < count ? Int(starts[index + 1]) : subcount
    return Subparameters(numbers: subnumbers.slice(start, end - start))
  }

  struct Subparameters: RandomAccessCollection {
    fileprivate let numbers: Block<Int32>
    var startIndex: Int { 0 }
    var endIndex: Int { numbers.count }
    subscript(index: Int) -> Int32 { numbers[index] }
  }

  @inline(__always)
  mutating func addParameter() {
    digitIsSub = false
    guard count < Self.limit else {
      rejectsDigits = true
      return
    }
    numbers[count] = 0
    starts[count] = UInt8(truncatingIfNeeded: subcount)
    count &+= 1
  }

  mutating func addSubparameter() {
    digitIsSub = true
    guard !rejectsDigits, subcount < Self.limit else {
      rejectsSubdigits = true
      return
    }
    subnumbers[subcount] = -1
    subcount += 1
  }

  @inline(__always)
  mutating func addDigit(_ digit: Int32) {
    if rejectsDigits { return }
    if digitIsSub {
      if rejectsSubdigits || subcount == 0 { return }
      let number = subnumbers[subcount &- 1]
      subnumbers[subcount &- 1] = number < 0 ? digit : Self.shift(number, digit)
    } else {
      numbers[count &- 1] = Self.shift(numbers[count &- 1], digit)
    }
  }

  /// A whole number that the short cut has read.
  @inline(__always)
  mutating func setLast(_ number: Int32) {
    if rejectsDigits { return }
    if digitIsSub {
      if !rejectsSubdigits { subnumbers[subcount &- 1] = number }
    } else {
      numbers[count &- 1] = number
    }
  }

  private static func shift(_ number: Int32, _ digit: Int32) -> Int32 {
    Int32(min(Int64(number) * 10 + Int64(digit), Int64(Int32.max)))
  }

  /// The text that brings a parser to these parameters.
  func append(to bytes: inout [UInt8]) {
    for index in 0..<count {
      if index > 0 { bytes.append(UInt8(ascii: ";")) }
      if numbers[index] != 0 { bytes.append(decimal: Int(numbers[index])) }
      for sub in subparameters(index) {
        bytes.append(UInt8(ascii: ":"))
        if sub >= 0 { bytes.append(decimal: Int(sub)) }
      }
    }
    if rejectsDigits {
      bytes.append(UInt8(ascii: ";"))
      if digitIsSub { bytes.append(UInt8(ascii: ":")) }
    } else if rejectsSubdigits && digitIsSub {
      bytes.append(UInt8(ascii: ":"))
    }
  }
}
