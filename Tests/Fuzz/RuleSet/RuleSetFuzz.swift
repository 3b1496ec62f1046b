internal import RuleSets

/// Any bytes as a rule set: they are refused with a reason, or are written and read back as the same rule set.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRuleSet(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do throws(Complaints) {
    checkCopy(of: try RuleSetDecoder.decode(bytes), indented: count % 2 == 0)
  } catch {
    // One more than the limit: the last complaint says how many others there are.
    guard (1...ComplaintBook.limit + 1).contains(error.all.count) else { fatalError("refused without a word") }
    guard !error.description.utf8.contains(0x1b) else { fatalError("a complaint that a terminal obeys") }
  }
  return 0
}

private func checkCopy(of ruleSet: RuleSet, indented: Bool) {
  do throws(Complaints) {
    let copy = try RuleSetDecoder.decode(RuleSetEncoder.encode(ruleSet, indented: indented))
    guard copy == ruleSet else { fatalError("read back as another rule set") }
  } catch {
    fatalError("refused what was written: \(error)")
  }
}
