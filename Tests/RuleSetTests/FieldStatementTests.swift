internal import RuleSets
import Testing

@testable import Core

/// What the fields say of themselves, and in which order complaints about them come.
@Suite struct FieldStatementTests {
  /// Every object of a rule set, by its type's name.
  private func objects(of all: ObjectDescription) -> [String: ObjectDescription] {
    func types(_ shape: Shape) -> [any Described.Type] {
      switch shape {
      case .object(let type): [type]
      case .list(_, let item, _): types(item)
      case .either(let one, let other): types(one) + types(other)
      default: []
      }
    }
    return all.fields.flatMap { types($0.shape) }.reduce(into: [:]) { found, type in
      found["\(type)"] = type.description
      found.merge(objects(of: type.description)) { first, _ in first }
    }
  }

  @Test func noObjectHasAFieldTwice() {
    let all = RuleSetEncoder.description
    for (name, object) in objects(of: all).merging(["the document": all], uniquingKeysWith: { first, _ in first }) {
      let keys = object.fields.map(\.key)
      #expect(Set(keys).count == keys.count, "\(name): \(keys)")
    }
  }

  /// The default of a field is the one that its struct has: it stands nowhere else.
  @Test func aDefaultIsTheOneOfTheStruct() throws {
    let probe = try #require(objects(of: RuleSetEncoder.description)["Probe"])
    let fall = try #require(probe.fields.first { $0.key == "fall" })
    guard case .standard(let value) = fall.presence else {
      Issue.record("fall has no default")
      return
    }
    #expect(value == .integer(Int64(Probe.standardFall)))
  }

  @Test func keysThatAreUnknownAreComplainedOfBeforeTheOtherFieldsOfTheirObject() {
    let error = #expect(throws: Complaints.self) {
      try RuleSetDecoder.decode(
        Array(
          #"""
          {"schema":1,"device":"a","revision":0,"backhaul_rules":[],"hubs":[{"name":"h","address":1,"nmae":"x"}]}
          """#.utf8))
    }
    #expect(
      error?.all.map(\.field) == ["revision", "hubs[0].nmae", "hubs[0].address"], "\(error?.description ?? "accepted")")
  }

  @Test func complaintsThatAreMadeLateStandInTheirPlaceAndCount() {
    let book = ComplaintBook()
    for number in 0..<ComplaintBook.limit { book.complain("field \(number)", "wrong") }
    book.complain(at: 1, [Complaint(field: "late", "wrong"), Complaint(field: "later", "wrong")])
    let error = #expect(throws: Complaints.self) { try book.close() }
    #expect(error?.all.prefix(4).map(\.field) == ["field 0", "late", "later", "field 1"])
    #expect(error?.all.count == ComplaintBook.limit + 1)
    #expect(error?.all.last?.text == "and 2 more")
  }
}
