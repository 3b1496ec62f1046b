internal import Core
internal import Netlink
internal import RuleSets

// Elements of maps, as Core has them and as the kernel does.

extension NftMap.Kind {
  init(_ key: NFTSet.Key) {
    switch key {
    case .device: self = .device
    case .mark: self = .mark
    case .fewMarks: self = .fewMarks
    case .concatenation(let fields): self = .boxes(fields.map(PacketField.init))
    }
  }
}

extension NFTSet.Key {
  init(_ kind: NftMap.Kind) {
    switch kind {
    case .device: self = .device
    case .mark: self = .mark
    case .fewMarks: self = .fewMarks
    case .boxes(let fields): self = .concatenation(fields.map(NFTField.init))
    }
  }
}

extension NftMap.Element {
  /// Nil if it is not one that we write.
  init?(_ element: NFTListedElement, of kind: NFTSet.Key) {
    let key: NftMap.Key
    switch (kind, element.last) {
    case (.device, nil):
      guard let name = InterfaceName(bytes: element.key) else { return nil }
      key = .device(name)
    case (.mark, nil), (.fewMarks, nil):
      guard element.key.count == 4 else { return nil }
      key = .mark(Mark(value: element.key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }))
    case (.concatenation(let fields), let last?):
      guard let box = PacketBox(from: element.key, to: last, fields) else { return nil }
      key = .box(box)
    case (.device, _?), (.mark, _?), (.fewMarks, _?), (.concatenation, nil): return nil
    }
    switch element.verdict {
    case .jump(let chain)?: self.init(key, .jump(chain: chain))
    case .goto(let chain)?: self.init(key, .goto(chain: chain))
    case .accept?, .drop?, .return?, nil: return nil
    }
  }
}

extension NFTMapElement {
  init(_ element: NftMap.Element, in kind: NftMap.Kind) {
    let verdict: NFTExpression.Verdict =
      switch element.verdict {
      case .jump(let chain): .jump(chain: chain)
      case .goto(let chain): .goto(chain: chain)
      }
    switch (element.key, kind) {
    case (.device(let name), _): self.init(key: NFTExpression.deviceName(name.text), verdict: verdict)
    case (.mark(let mark), _): self.init(key: NFTExpression.word(mark.value), verdict: verdict)
    case (.box(let box), .boxes(let fields)):
      let corners = box.corners(fields.map(NFTField.init))
      self.init(key: corners.first, to: corners.last, verdict: verdict)
    // Empty, which the kernel refuses.
    case (.box, .device), (.box, .mark), (.box, .fewMarks): self.init(key: [], to: [], verdict: verdict)
    }
  }
}

extension PacketField {
  fileprivate init(_ field: NFTField) {
    switch field {
    case .etherType: self = .turn
    case .sender: self = .sender
    case .source: self = .source
    case .destination: self = .destination
    case .protocol: self = .protocol
    case .destinationPort: self = .port
    }
  }
}

extension NFTField {
  init(_ field: PacketField) {
    switch field {
    case .turn: self = .etherType
    case .sender: self = .sender
    case .source: self = .source
    case .destination: self = .destination
    case .protocol: self = .protocol
    case .port: self = .destinationPort
    }
  }

  /// As bytes lie in a packet, filled up to whole words.
  fileprivate func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: words * 4 - bytes.count)
  }

  fileprivate func bytes(_ number: UInt64) -> [UInt8] {
    padded((0..<length).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) })
  }
}

extension PacketBox {
  /// Its lowest and its highest key.
  fileprivate func corners(_ fields: [NFTField]) -> (first: [UInt8], last: [UInt8]) {
    var (lowest, highest): ([UInt8], [UInt8]) = ([], [])
    for (side, field) in zip(sides, fields) {
      lowest += field.bytes(side.first)
      highest += field.bytes(side.last)
    }
    return (lowest, highest)
  }

  /// Nil if it is not one that we write.
  fileprivate init?(from first: [UInt8], to last: [UInt8], _ fields: [NFTField]) {
    let size = fields.reduce(0) { $0 + $1.words * 4 }
    guard first.count == size, last.count == size else { return nil }
    var place = 0
    var sides: [Side] = []
    for field in fields {
      let bytes = place..<place + field.words * 4
      guard let side = Side(from: Array(first[bytes]), to: Array(last[bytes]), field) else { return nil }
      sides.append(side)
      place = bytes.upperBound
    }
    self.init(sides)
  }
}

extension PacketBox.Side {
  fileprivate init?(from first: [UInt8], to last: [UInt8], _ field: NFTField) {
    func number(_ bytes: [UInt8]) -> UInt64? {
      let number = bytes.prefix(field.length).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return field.bytes(number) == bytes ? number : nil
    }
    guard let first = number(first), let last = number(last), first <= last else { return nil }
    self = .numbers(first, last)
  }
}

extension InterfaceName {
  /// Nil if they are no name, filled up as the kernel does.
  fileprivate init?(bytes: [UInt8]) {
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    guard NFTExpression.deviceName(text) == bytes else { return nil }
    self.init(text)
  }
}
