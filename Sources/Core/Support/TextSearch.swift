extension StringProtocol {
  /// Whether a part stands anywhere in the text, byte by byte. The library's `contains` does it too, and brings a megabyte
  /// of regular expressions along, which the product's targets are therefore built without.
  package func containsText(_ part: some StringProtocol) -> Bool {
    let whole = Array(utf8)
    let wanted = Array(part.utf8)
    guard let first = wanted.first, whole.count >= wanted.count else { return wanted.isEmpty }
    for start in 0...(whole.count - wanted.count) where whole[start] == first {
      if whole[start..<(start + wanted.count)].elementsEqual(wanted) { return true }
    }
    return false
  }
}
