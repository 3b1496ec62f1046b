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

  private enum Role: String, CaseIterable, Sendable { case edge }

  private static let keys = [
    "schema", "device", "revision", "role", "hubs", "ipsec_profiles", "tunnels", "paths", "probes", "egresses",
    "backhaul_rules", "direct_destinations",
  ]
  private static let refused = ["steering_rules": "steering rules are not supported by this version"]
  private static let roleForm = Form<Role>.choice(unsupported: ["hub": "this version runs on edges only"])

  private static func ruleSet(from document: DocumentValue, _ book: ComplaintBook) -> RuleSet? {
    guard let top = FieldReader(document, keys: keys, refused: refused, book: book) else { return nil }
    let device = top.required("device", .name)
    let revision = top.required("revision", .integer(RuleSetBounds.revision))
    _ = top.optional("role", roleForm)
    var draft = RuleSetDraft(book)
    draft.readHubs(top)
    draft.readProfiles(top)
    draft.readTunnels(top)
    draft.readPaths(top)
    draft.readProbes(top)
    draft.readEgresses(top)
    draft.readRules(top)
    draft.readDirectDestinations(top)
    draft.noteIncompleteParts(top)
    draft.validate()
    guard let device, let revision else { return nil }
    return RuleSet(
      device: device, revision: UInt64(revision), hubs: draft.hubs.map(\.value),
      profiles: draft.profiles.map(\.value), tunnels: draft.tunnels.map(\.value), paths: draft.paths.map(\.value),
      probes: draft.probes.map(\.value), egresses: draft.egresses.map(\.value.egress),
      backhaulRules: draft.rules.map(\.value.rule),
      directDestinations: draft.directDestinations.map(\.value))
  }
}
