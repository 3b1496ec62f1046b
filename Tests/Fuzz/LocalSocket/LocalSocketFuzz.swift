internal import System

/// Any bytes as what a client sent: the whole must give the same result as byte by byte.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLocalSocket(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let whole = parse(bytes)
  switch whole {
  case .complete(let request):
    guard LocalFrame.encode(request) == bytes else { fatalError("read as another request") }
    guard parse(bytes + [0]) == .refused(.trailing) else { fatalError("took more than a request") }
  case .incomplete:
    guard count < 4 + LocalFrame.maximumRequest else { fatalError("waits for more than a request") }
  case .refused: break
  }
  // A refusal of a part holds for the rest, except that only the end shows trailing bytes.
  for length in [4, count / 2, count - 1] where (0..<count).contains(length) {
    let part = parse(Array(bytes[..<length]))
    switch part {
    case .incomplete: break
    case .complete: guard whole == .refused(.trailing) else { fatalError("a part is a request, the whole is not more") }
    case .refused: guard whole == part else { fatalError("a refusal was taken back") }
    }
  }
  return 0
}

private func parse(_ bytes: [UInt8]) -> LocalFrame.Parsed { LocalFrame.parse(bytes.span) }
