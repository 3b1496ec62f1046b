/// Document → rule set, complete and valid, or everything that is wrong with it. Two passes: each field by itself, then
/// what the fields say together (`RuleSetDraft`).
package enum RuleSetDecoder {
  /// A rule set, and what its document could say better: no reason to refuse it.
  package struct Decoded: Sendable {
    package var ruleSet: RuleSet
    package var remarks: [Complaint]
  }

  /// Decodes the bytes of a JSON document.
  package static func decode(_ bytes: [UInt8], limits: StrictJSON.Limits = .init()) throws(Complaints) -> RuleSet {
    try decodeWithRemarks(bytes, limits: limits).ruleSet
  }

  /// The same, with remarks.
  package static func decodeWithRemarks(
    _ bytes: [UInt8], limits: StrictJSON.Limits = .init()
  ) throws(Complaints) -> Decoded {
    let document: DocumentValue
    do throws(Complaint) {
      document = try StrictJSON.parse(bytes, limits: limits)
    } catch {
      throw Complaints([error])
    }
    return try decodeWithRemarks(document)
  }

  /// Decodes a document that is already parsed, and drops the remarks. Throws every complaint at once.
  package static func decode(_ document: DocumentValue) throws(Complaints) -> RuleSet {
    try decodeWithRemarks(document).ruleSet
  }

  private static func decodeWithRemarks(_ document: DocumentValue) throws(Complaints) -> Decoded {
    let book = ComplaintBook()
    try checkSchema(of: document, book)
    let ruleSet = ruleSet(from: document, book)
    try book.close()
    // Whatever makes it nil has complained; should that ever not hold, an empty refusal is still a refusal.
    guard let ruleSet else { throw Complaints([Complaint(field: "", "the document is not a rule set")]) }
    return Decoded(ruleSet: ruleSet, remarks: book.allRemarks)
  }

  /// Nothing else in a document of another schema can be judged, so this complaint comes alone.
  private static func checkSchema(of document: DocumentValue, _ book: ComplaintBook) throws(Complaints) {
    guard case .object(let members) = document else {
      book.complain("", "expected an object, found \(document.found)")
      return try book.close()
    }
    let schema = members.first { $0.key == "schema" }?.value
    guard schema != .integer(Int64(RuleSet.schema)) else { return }
    let found = schema.map { "found \($0.found)" } ?? "but it is missing"
    book.complain("schema", "expected \(RuleSet.schema), the schema that this program reads, \(found)")
    try book.close()
  }

  private static func ruleSet(from document: DocumentValue, _ book: ComplaintBook) -> RuleSet? {
    guard let top = FieldReader(document, at: "", book: book) else { return nil }
    var draft = RuleSetDraft()
    draft.names = NameBook(book)
    let fields = Fields(reading: top, draft.names)
    draft.fields(fields)
    fields.complainOfStrangers(to: RuleSetDraft.self, at: 0)
    draft.names.noteIncompleteParts(top)
    draft.validate()
    return fields.isWhole ? draft.ruleSet : nil
  }
}
