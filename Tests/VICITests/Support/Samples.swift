import VICI

/// The example of "Encoding example" in the README of strongSwan's vici plugin, and its bytes there.
enum Sample {
  static let message = VICIMessage {
    $0.set("key1", "value1")
    $0.section("section1") {
      $0.section("sub-section") { $0.set("key2", "value2") }
      $0.set("list1", ["item1", "item2"])
    }
  }

  static let bytes =
    [3, 4] + ascii("key1") + [0, 6] + ascii("value1")
    + [1, 8] + ascii("section1")
    + [1, 11] + ascii("sub-section")
    + [3, 4] + ascii("key2") + [0, 6] + ascii("value2")
    + [2]
    + [4, 5] + ascii("list1")
    + [5, 0, 5] + ascii("item1")
    + [5, 0, 5] + ascii("item2")
    + [6]
    + [2]

  static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }
}

/// What `body` throws; nil where it does not.
func failure(_ body: () throws(VICIFailure) -> Void) -> VICIFailure? {
  do throws(VICIFailure) { try body() } catch { return error }
  return nil
}

func cause(_ body: () throws(VICIFailure) -> Void) -> VICIFailure.Cause? { failure(body)?.cause }
