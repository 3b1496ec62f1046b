internal import Core
internal import RuleSets
internal import System

/// Any bytes as agent.toml: they are refused with a reason that fits a terminal, or are a configuration.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do throws(Complaints) {
    _ = try ConfigurationFile.decode(bytes)
  } catch {
    guard (1...ComplaintBook.limit + 1).contains(error.all.count) else { fatalError("refused without a word") }
    guard !error.description.utf8.contains(0x1b) else { fatalError("a complaint that a terminal obeys") }
  }
  return 0
}
