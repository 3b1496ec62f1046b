/// Statements of lists. A list leaves out what is refused of it, with a complaint, and the object stays whole: what its
/// other items say can still be judged.
extension Fields {
  /// Texts or numbers, none of them twice. A list that may not be empty is left out where there is nothing to write;
  /// without the key it is what the blank has.
  func list<Value: Writable & Equatable>(
    _ key: String, _ count: ClosedRange<Int>, of form: Form<Value>, _ values: inout [Value]
  ) {
    let standard = values
    state(key, count, .list(count, of: form.shape, isUnique: true)) { _ in
      values = []
    } read: { _, given in
      switch form.judge(given) {
      case .success(let value):
        defer { values.append(value) }
        let first = values.firstIndex(of: value)
        return first.map { "\(value.written(as: form.shape).found) is there twice, first at [\($0)]" }
      case .failure(let refusal): return refusal.text
      }
    } write: {
      standard.map { $0.written(as: form.shape) }
    }
  }

  /// The same, for items that are held against others later and may repeat themselves.
  func list<Value: Writable>(
    _ key: String, _ count: ClosedRange<Int>, of form: Form<Value>, _ items: inout [Item<Value>]
  ) {
    let standard = items
    state(key, count, .list(count, of: form.shape, isUnique: false)) {
      items.reserveCapacity($0)
    } read: { index, given in
      switch form.judge(given) {
      case .success(let value):
        items.append(Item(index: index, value: value))
        return nil
      case .failure(let refusal): return refusal.text
      }
    } write: {
      standard.map { $0.value.written(as: form.shape) }
    }
  }

  /// Objects. Without the key the list is empty.
  ///
  /// - Parameters:
  ///   - isUnique: whether an item may not be there twice, which the statements after this one see to.
  ///   - missing: tells what is expected where the key is missing; nil: it may be.
  func objects<Value: Described>(
    _ key: String, _ count: ClosedRange<Int>, _ items: inout [Item<Value>], isUnique: Bool = false,
    missing: String? = nil
  ) {
    let path = path(key)
    let standard = items
    state(key, count, .list(count, of: .object(Value.self), isUnique: isUnique), missing) {
      items.reserveCapacity($0)
    } read: { index, given in
      if let value = Value.read(given, at: "\(path)[\(index)]", index: index, names) {
        items.append(Item(index: index, value: value))
      }
      return nil
    } write: {
      standard.map { $0.value.written(names) }
    }
  }

  /// Objects of which some may be said in a word, none of them twice.
  func objects<Value: ShortlyDescribed>(
    _ key: String, _ count: ClosedRange<Int>, orShort form: Form<Name>, _ items: inout [Item<Value>], missing: String
  ) {
    let path = path(key)
    let standard = items
    state(key, count, .list(count, of: .either(form.shape, .object(Value.self)), isUnique: true), missing) {
      items.reserveCapacity($0)
    } read: { index, given in
      if case .object = given {
        if let value = Value.read(given, at: "\(path)[\(index)]", index: index, names) {
          items.append(Item(index: index, value: value))
        }
        return nil
      }
      switch form.judge(given) {
      case .success(let name):
        var value = Value.blank
        value.short = name
        items.append(Item(index: index, value: value))
        return nil
      case .failure(let refusal): return refusal.text
      }
    } write: {
      standard.map { item in item.value.short.map { .string($0.text) } ?? item.value.written(names) }
    }
  }

  /// What all statements of lists have in common. It knows nothing of the items' type, so that it is compiled once.
  private func state(
    _ key: String, _ count: ClosedRange<Int>, _ shape: Shape, _ missing: String? = nil, begin: (Int) -> Void,
    read: (Int, DocumentValue) -> String?, write put: () -> [DocumentValue]
  ) {
    switch task {
    case .read:
      guard has(key) else {
        if let missing { complain(key, "missing; expected \(missing)") }
        return
      }
      note(key)
      let values = values(key, count)
      begin(values.count)
      for (index, value) in values.enumerated() {
        if let text = read(index, value) { complain("\(key)[\(index)]", text) }
      }
    case .note: note(key)
    case .write:
      let values = put()
      if !values.isEmpty || count.lowerBound == 0 { write(key, .list(values)) }
    case .describe:
      let standard = put()
      let mayBeEmpty = count.lowerBound == 0 || !standard.isEmpty
      describe(key, shape, missing != nil ? .required : mayBeEmpty ? .standard(.list(standard)) : .optional)
    }
  }
}
