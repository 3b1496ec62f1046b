/// Gathers what is wrong with one document, so that its writer sees all of it at once.
package final class ComplaintBook {
  /// More are counted and not kept: nobody reads them, and a hostile document shall not cost memory by being wrong.
  package static let limit = 100

  private var kept: [Complaint] = []
  private var others = 0
  /// What the document could say better; no reason to refuse it.
  private var remarks: [Complaint] = []
  private var otherRemarks = 0

  package init() {}

  package var isEmpty: Bool { kept.isEmpty }

  /// Both texts are made only where the complaint is kept, so a caller may search for "did you mean" in them.
  package func complain(_ field: @autoclosure () -> String, _ text: @autoclosure () -> String) {
    if kept.count < Self.limit { kept.append(Complaint(field: field(), text())) } else { others += 1 }
  }

  /// Where the next complaint will stand; see `complain(at:_:)`.
  package var place: Int { kept.count }

  /// Puts complaints before those that were made since the place was taken. The limit holds as ever.
  ///
  /// - Parameter more: how many there are besides.
  package func complain(at place: Int, _ complaints: [Complaint], others more: Int = 0) {
    others += more
    kept.insert(contentsOf: complaints, at: min(place, kept.count))
    others += max(0, kept.count - Self.limit)
    kept.removeLast(max(0, kept.count - Self.limit))
  }

  /// What is odd and has one meaning all the same. As with complaints, more than `limit` are counted and not kept.
  package func remark(_ field: @autoclosure () -> String, _ text: @autoclosure () -> String) {
    if remarks.count < Self.limit { remarks.append(Complaint(field: field(), text())) } else { otherRemarks += 1 }
  }

  /// The remarks, and how many more there were.
  package var allRemarks: [Complaint] {
    remarks + (otherRemarks == 0 ? [] : [Complaint(field: "", "and \(otherRemarks) more")])
  }

  /// Throws everything that was gathered, in the order of the finding.
  package func close() throws(Complaints) {
    if kept.isEmpty { return }
    let last = others == 0 ? [] : [Complaint(field: "", "and \(others) more")]
    throw Complaints(kept + last)
  }
}
