internal import Core

/// Any bytes as a rule set: they are refused in words, or they are one that is written and read back as the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRuleSet(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do throws(Complaints) {
    let ruleSet = try RuleSetDecoder.decode(bytes)
    let copy = try RuleSetDecoder.decode(RuleSetEncoder.encode(ruleSet, indented: count % 2 == 0))
    guard copy == ruleSet else { fatalError("read back as another rule set") }
  } catch {
    // One more than the limit: the last says how many others there are.
    guard (1...ComplaintBook.limit + 1).contains(error.all.count) else { fatalError("refused without a word") }
    guard !error.description.utf8.contains(0x1b) else { fatalError("a complaint that a terminal obeys") }
  }
  return 0
}
