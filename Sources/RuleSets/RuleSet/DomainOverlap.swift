/// Finds domains that lie in others. Published lists are full of them: the domain above says it all.
enum DomainOverlap {
  /// The one above stays, in its place; the others are left out and remarked on.
  static func merged(_ items: [Item<DomainName>], in field: String, book: ComplaintBook) -> [Item<DomainName>] {
    let first = Dictionary(items.map { ($0.value, $0.index) }, uniquingKeysWith: { first, _ in first })
    return items.filter { item in
      // The highest that is in the list: a note that names one which is itself left out would mislead.
      guard let above = item.value.lineage.filter({ first[$0] != nil }).last, let index = first[above],
        index != item.index
      else { return true }
      let text =
        above == item.value
        ? "\(item.value) is there twice, first at [\(index)]" : "\(item.value) lies in \(above) at [\(index)]"
      book.remark("\(field)[\(item.index)]", "\(text); it is left out")
      return false
    }
  }
}
