/// Parses a datagram as messages of every kind that we read, as if each had been asked for. Says how many it could read.
/// Bytes may be anything: this is what stands between them and the rest of the program.
package func readAnything(_ datagram: UnsafeRawBufferPointer) -> Int {
  var reader = ReplyReader(operation: "any", sequence: 1, port: 1)
  do throws(NetlinkFailure) { _ = try reader.take(datagram) { _ in true } } catch {
    // A refusal is an answer too; its text was read.
    _ = error.description
  }
  var count = 0
  _ = Message.forEach(in: datagram) { message in
    let isRead = [
      LinkMessage(message) != nil, TrafficMessage(message) != nil, AddressMessage(message) != nil,
      RouteMessage(message) != nil, PathMTUMessage(message) != nil, RuleMessage(message) != nil,
      ConnectionMessage(message) != nil, NetlinkEvent(message) != nil,
      isTable(message), isElements(message), message.extendedText != nil,
    ]
    count += isRead.filter(\.self).count
  }
  return count
}

private func isTable(_ message: Message) -> Bool {
  guard let attributes = NetfilterSocket.attributes(message) else { return false }
  let rule = NFTRule.parse(attributes)?.rule
  let text = rule?.expressions.map(\.description).joined()
  let writes = WrittenMark.all(in: rule?.expressions ?? []).isEmpty
  return text != nil || !writes || FlowtableMessage(family: "", attributes) != nil || NFTChain.parse(attributes) != nil
    || NFTSet.parse(attributes) != nil
}

private func isElements(_ message: Message) -> Bool {
  var starts: [UInt32] = []
  var ends: [UInt32] = []
  let isGood = SetFormat.read(message) { key, isEnd in
    guard let key else { return }
    if isEnd { ends.append(key) } else { starts.append(key) }
  }
  let ranges = SetFormat.ranges(starts: starts, ends: ends)
  // What Core is promised of a set, whatever the elements were.
  for (range, next) in zip(ranges, ranges.dropFirst()) where range.upperBound >= next.lowerBound {
    fatalError("ranges \(range) and \(next) overlap")
  }
  let isMap = MapFormat.read(message) { _ in }
  return isGood && isMap
}
